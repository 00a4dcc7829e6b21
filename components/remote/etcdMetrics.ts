import { get } from "node:https";

/** What the request needs of a client's access to etcd. */
interface Access {
    readonly ca: string;
    readonly cert: string;
    readonly key: string;
    readonly serverName: string;
}

/** The peers with which a member's raft streams stand, by its metrics. */
export async function activePeers(
    localPort: number,
    access: Access,
    timeoutSeconds: number,
): Promise<ReadonlySet<string>> {
    return parseActivePeers(await fetchMetrics(localPort, access, timeoutSeconds));
}

/** etcd v3.4 to v3.7 server/etcdserver/api/rafthttp/metrics.go: a gauge for each peer, 1 while it is active. */
export function parseActivePeers(metrics: string): ReadonlySet<string> {
    const found = new Set<string>();
    for (const [, labels = "", value] of metrics.matchAll(/^etcd_network_active_peers\{([^}]*)\} (\S+)$/gm)) {
        const id = /Remote="([0-9a-f]+)"/.exec(labels)?.[1];
        if (id !== undefined && Number(value) > 0) found.add(id);
    }
    return found;
}

async function fetchMetrics(localPort: number, access: Access, timeoutSeconds: number): Promise<string> {
    const { ca, cert, key, serverName: servername } = access;
    return new Promise((resolve, reject) => {
        const request = get(
            { host: "127.0.0.1", port: localPort, path: "/metrics", agent: false, ca, cert, key, servername },
            (response) => {
                const chunks: Buffer[] = [];
                response.on("data", (chunk: Buffer) => chunks.push(chunk));
                response.on("error", reject);
                response.on("end", () => {
                    if (response.statusCode === 200) resolve(Buffer.concat(chunks).toString());
                    else reject(new Error(`GET /metrics answers ${response.statusCode}`));
                });
            },
        );
        request.on("error", (error) => reject(new Error(`UNAVAILABLE: ${error.message}`, { cause: error })));
        request.setTimeout(timeoutSeconds * 1000, () => request.destroy(new Error("deadline exceeded")));
    });
}
