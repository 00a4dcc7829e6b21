import * as http from "node:http";
import * as https from "node:https";
import { setTimeout as pause } from "node:timers/promises";

/** What the requests need of a client's access to etcd. */
interface Access {
    readonly ca: string;
    readonly cert: string;
    readonly key: string;
    readonly serverName: string;
    readonly isPlain?: boolean;
}

/** What a member's metrics say about one other member. */
export interface PeerTraffic {
    /**
     * Its streams stand, as far as etcd counts. That stays so for minutes after a network was cut, but not after the peer's process died;
     * and streams may stand that it does not count.
     */
    readonly isConnected: boolean;
    /** How much the member has ever received from it. */
    readonly receivedBytes: number;
}

/** A peer that is alive answers the leader's heartbeats, which come every 0.1 s, or every second where somebody has tuned them. */
const PATIENCE_MS = 1500;
const PAUSE_MS = 20;
/** Who has just started, and called first, is called within 0.1 s (etcd rafthttp: dialRetryFrequency). */
const CALLED_MS = 500;
/** What came since a look so short ago counts as now. */
const RECENT_MS = 500;

/** Reads a member's metrics through a port of this machine. */
export class EtcdMetrics {
    readonly #agent: http.Agent;
    readonly #get: typeof http.get;
    /** Since when somebody who counts as not connected is heard all the same. */
    readonly #uncounted = new Map<string, number>();
    #last: { readonly at: number; readonly peers: ReadonlyMap<string, PeerTraffic> } | undefined;

    constructor(
        private readonly localPort: number,
        { ca, cert, key, serverName: servername, isPlain = false }: Access,
        private readonly timeoutSeconds: number,
    ) {
        const pooling = { keepAlive: true, maxSockets: 1 };
        this.#agent = isPlain ? new http.Agent(pooling) : new https.Agent({ ...pooling, ca, cert, key, servername });
        this.#get = isPlain ? http.get : https.get;
    }

    /** By id, the peers from which something came while we looked, or since we looked a moment ago. */
    async activePeers(): Promise<ReadonlyMap<string, PeerTraffic>> {
        const began = performance.now();
        const last = this.#last;
        const first = last && began - last.at < RECENT_MS ? last.peers : await this.#look();
        const second = await this.#look();
        const miscounted = this.#miscounted();
        for (let now = second; ; now = await this.#look()) {
            const before = (id: string): number => (miscounted.has(id) ? second : first).get(id)?.receivedBytes ?? 0;
            const expected = [...now].filter(([id, peer]) => peer.isConnected || miscounted.has(id));
            const heard = expected.filter(([id, peer]) => peer.receivedBytes > before(id));
            if (heard.length === expected.length || performance.now() - began > PATIENCE_MS) {
                const active = new Map(heard);
                for (const id of miscounted) if (!active.has(id)) this.#uncounted.delete(id);
                return active;
            }
            await pause(PAUSE_MS);
        }
    }

    close(): void {
        this.#agent.destroy();
    }

    async #look(): Promise<ReadonlyMap<string, PeerTraffic>> {
        const peers = parsePeerTraffic(await this.#fetch());
        const at = performance.now();
        for (const [id, { isConnected, receivedBytes }] of peers) {
            const before = this.#last?.peers.get(id);
            if (isConnected) this.#uncounted.delete(id);
            else if (before && receivedBytes > before.receivedBytes && !this.#uncounted.has(id))
                this.#uncounted.set(id, at);
        }
        this.#last = { at, peers };
        return peers;
    }

    /**
     * Those who have been heard for some time without counting as connected. They count so until a connection is made anew where a dial
     * that began before their connections failed after them (etcd rafthttp: pipeline.post deactivates a peer whose streams stand), or as
     * long as they can't be called. One that died meanwhile would be among them: it is to be heard once more.
     */
    #miscounted(): ReadonlySet<string> {
        const since = performance.now() - CALLED_MS;
        return new Set([...this.#uncounted].flatMap(([id, at]) => (at < since ? [id] : [])));
    }

    #fetch(): Promise<string> {
        return new Promise((resolve, reject) => {
            const where = { host: "127.0.0.1", port: this.localPort, path: "/metrics", agent: this.#agent };
            const request = this.#get(where, (response) => {
                const chunks: Buffer[] = [];
                response.on("data", (chunk: Buffer) => chunks.push(chunk));
                response.on("error", reject);
                response.on("end", () => {
                    if (response.statusCode === 200) resolve(Buffer.concat(chunks).toString());
                    else reject(new Error(`GET /metrics answers ${response.statusCode}`));
                });
            });
            request.on("error", (error) => reject(new Error(`UNAVAILABLE: ${error.message}`, { cause: error })));
            request.setTimeout(this.timeoutSeconds * 1000, () => request.destroy(new Error("deadline exceeded")));
        });
    }
}

/** By id. The names are those of etcd v3.4 to v3.7 server/etcdserver/api/rafthttp/metrics.go. */
export function parsePeerTraffic(metrics: string): ReadonlyMap<string, PeerTraffic> {
    const received = new Map(samples(metrics, "peer_received_bytes_total", "From"));
    const connected = samples(metrics, "active_peers", "Remote");
    return new Map(
        connected.map(([id, count]) => [id, { isConnected: count > 0, receivedBytes: received.get(id) ?? 0 }]),
    );
}

function samples(metrics: string, name: string, label: string): [id: string, value: number][] {
    const line = new RegExp(`^etcd_network_${name}\\{[^}]*\\b${label}="([0-9a-f]+)"[^}]*\\} (\\S+)$`, "gm");
    return [...metrics.matchAll(line)].map(([, id = "", value]) => [id, Number(value)]);
}
