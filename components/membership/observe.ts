/** The world → Observation. Looks at hosts over SSH, and asks etcd through the same connection, or directly. Changes nothing. */
import { foreignScript, isPlain, leavesOf, parseForeign, type ForeignEtcd } from "../adoption/foreign";
import type { Lent } from "../adoption/lent";
import { hostOfUrl } from "../address";
import { hostPaths } from "../host/paths";
import { minorOf } from "../host/version";
import { httpsUrl, withoutTls } from "../host/settings";
import { directWay } from "../remote/direct";
import type { EtcdCredentials } from "../remote/etcdAccess";
import { openEtcd, type EtcdClient } from "../remote/etcdClient";
import type { ConnectionPool, SshConnection } from "../remote/connectionPool";
import { isEtcdError, isRemoteError } from "../remote/errors";
import { wholeAnswer } from "../remote/wholeAnswer";
import { isSame } from "../stateValues";
import { messageOf } from "./errors";
import type { Away } from "./locked";
import { isAtItsPlace, isUp, memberOf } from "./world";
import { callsOne, look } from "./lookScripts";
import { parseLook, unreachable } from "./seen";
import type { ClusterSeen, Desired, HostSeen, Member, MemberStatus, Observation, Serving, WantedHost } from "./types";

/** The parts of the world that a step may have changed. */
export interface Scope {
    /** Hosts to look at again over SSH. */
    readonly hosts: readonly string[];
}

type HostsSeen = Readonly<Record<string, HostSeen>>;

/** Sees one cluster's world. Keeps its connections to etcd for as long as they work. */
export class Observer {
    private readonly clients = new Map<string, EtcdClient>();
    private readonly silences = new Map<string, string>();
    private readonly bars = new Map<string, string>();
    private away: Away = new Map();
    private readonly places = new Map<string, Place>();

    constructor(
        private readonly wanted: Desired,
        private readonly pool: ConnectionPool,
        private readonly credentials: EtcdCredentials | undefined,
        /** How etcd is asked. */
        private readonly access: "ssh" | "direct",
        /** By host, instead of the credentials: what its member is reached with while the cluster is taken over. */
        private readonly lent?: ReadonlyMap<string, Lent>,
    ) {}

    private get hosts(): readonly WantedHost[] {
        return [...this.wanted.hosts, ...this.wanted.retired];
    }

    host(key: string): WantedHost {
        const host = this.hosts.find((candidate) => candidate.key === key);
        if (!host) throw new Error(`host "${key}" is neither declared nor retired`);
        return host;
    }

    /** @throws where the host is left alone; RemoteError as `ConnectionPool.connect` */
    async connection(key: string): Promise<SshConnection> {
        const { ssh } = this.host(key);
        if (this.away.has(ssh)) throw this.away.get(ssh);
        return this.pool.connect(ssh);
    }

    /** Hosts that can't be reached from now on, whatever they do, and why. */
    leaveAlone(away: Away): void {
        this.away = away;
    }

    /** The whole world. */
    async observe(): Promise<Observation> {
        return this.refresh({ hosts: {}, cluster: undefined }, { hosts: this.hosts.map((host) => host.key) });
    }

    /** What an earlier observation and a new look at some hosts make together. etcd is asked anew in any case. */
    async refresh(before: Observation, scope: Scope): Promise<Observation> {
        const looks = await Promise.all(scope.hosts.map((key) => this.lookAt(this.host(key))));
        const merged = { ...before.hosts, ...Object.fromEntries(looks) };
        const answers = await Promise.all(
            Object.entries(merged).map(async ([key, seen]) => [key, await this.ask(this.host(key), seen)] as const),
        );
        const asked = Object.fromEntries(answers);
        const cluster = await this.cluster(asked);
        return cluster ? this.withPeers(asked, cluster) : { hosts: asked, cluster };
    }

    private async lookAt(host: WantedHost): Promise<readonly [string, HostSeen]> {
        try {
            const connection = await this.connection(host.key);
            const paths = hostPaths(this.wanted.cluster, this.wanted.dataDir);
            const script = this.lent ? `${look(paths)}\n${foreignScript(paths, host)}` : look(paths);
            const answer = await wholeAnswer(connection, script, this.wanted.timeouts.commandSeconds);
            const seen = { ...parseLook(host.name, answer), status: undefined, servesPeers: false };
            return [host.key, this.lent ? withForeign(seen, parseForeign(answer)) : seen];
        } catch (error) {
            return [host.key, unreachable(host.name, error instanceof Error ? error.message : String(error))];
        }
    }

    /**
     * A member's own answers, if it gives any. One that has not said that it is ready is not asked: its client port takes connections
     * from the first moment and lets them hang until then.
     */
    private async ask(host: WantedHost, seen: HostSeen): Promise<HostSeen> {
        const isAsked = this.lent?.has(host.key) ?? this.credentials !== undefined;
        const unasked = { ...seen, status: undefined, servesPeers: false, isUncallable: false, barred: undefined };
        if (seen.unit !== "active" || !isAsked) return unasked;
        const [first, ...others] = placesOf(host, seen.serving);
        let status = await this.status(host, first);
        for (const place of others) status ??= await this.status(host, place);
        if (!status) return { ...unasked, barred: this.bars.get(host.key) };
        return { ...unasked, status, servesPeers: status.isHealthy };
    }

    /**
     * Whoever is up and answers no linearizable read may take part all the same: the leader knows with whom it exchanges messages. A
     * member's own status says nothing about that: a learner that was cut off gives it, and names the leader that it heard last.
     */
    private async withPeers(hosts: HostsSeen, cluster: ClusterSeen): Promise<Observation> {
        const world = { seen: { hosts, cluster }, wanted: this.wanted };
        // One whose data is of a member at another place is asked about even if it is down: that member may live there still.
        const mayTakePart = (key: string, seen: HostSeen): boolean => {
            const member = memberOf(world, this.host(key));
            return isUp(seen) || (member !== undefined && !isAtItsPlace(this.host(key), member));
        };
        const silent = Object.entries(hosts).filter(([key, seen]) => !seen.status?.isHealthy && mayTakePart(key, seen));
        const leader = Object.entries(hosts).find(([, seen]) => seen.status?.memberId === cluster.leaderId);
        if (silent.length === 0 || !leader) return world.seen;
        const active = await this.client(leader[0])
            .then((client) => client.activePeers())
            .catch(() => undefined);
        if (!active) return { hosts, cluster: { ...cluster, isLeaderMute: true } };
        const serving = silent.map(async ([key, seen]) => {
            const member = memberOf(world, this.host(key));
            const heard = member && active.get(member.id);
            if (!heard) return [key, { ...seen, servesPeers: false }] as const;
            // A count of none may be out of date; or the member calls the leader, and not the other way.
            const isCalled = heard.isConnected || (member.isLearner && (await this.canCall(leader[0], member)));
            return [key, { ...seen, servesPeers: isCalled, isUncallable: member.isLearner && !isCalled }] as const;
        });
        return { hosts: { ...hosts, ...Object.fromEntries(await Promise.all(serving)) }, cluster };
    }

    private async canCall(key: string, { peerUrls }: Member): Promise<boolean> {
        const answer = this.connection(key).then((connection) =>
            connection.run(callsOne(peerUrls), { timeoutSeconds: this.wanted.timeouts.commandSeconds }),
        );
        return answer.then(
            ({ code }) => code === 0,
            () => false,
        );
    }

    private async status(host: WantedHost, place: Place): Promise<MemberStatus | undefined> {
        this.silences.delete(host.key);
        this.bars.delete(host.key);
        try {
            this.settle(host.key, place);
            const client = await this.client(host.key);
            const status = await client.status();
            const isHealthy = !status.isLearner && status.leaderId !== undefined && (await client.isHealthy());
            const leaves34 = minorOf(status.version) === "3.4" && minorOf(this.wanted.version) !== "3.4";
            return { ...status, isHealthy, ...(leaves34 && { hasUsers: await client.hasUsers() }) };
        } catch (error) {
            this.silences.set(host.key, messageOf(error));
            if (this.isBar(error)) this.bars.set(host.key, messageOf(error));
            this.forget(host.key);
            return undefined;
        }
    }

    /** What is in the way is none of etcd's doing. On its own host, a closed port is. */
    private isBar(error: unknown): boolean {
        const kind = isEtcdError(error) ? error.inTheWay : isRemoteError(error) ? error.kind : undefined;
        if (kind === "forward-refused") return true;
        return this.access === "direct" && (kind === "unreachable" || kind === "port-closed");
    }

    /** Why a member that is up gave no answer when it was asked last; undefined if it did. */
    silence(key: string): string | undefined {
        return this.silences.get(key);
    }

    /** The member list as a quorum knows it: from whoever answers first in the declared order. */
    private async cluster(hosts: HostsSeen): Promise<ClusterSeen | undefined> {
        for (const host of this.hosts) {
            const status = hosts[host.key]?.status;
            if (!status?.isHealthy) continue;
            try {
                const client = await this.client(host.key);
                const [members, alarms] = await Promise.all([
                    client.memberList({ linearizable: true }),
                    client.alarms(),
                ]);
                return { clusterId: status.clusterId, leaderId: status.leaderId, members, alarms };
            } catch {
                this.forget(host.key);
            }
        }
        return undefined;
    }

    /** etcd's API on one host. @throws RemoteError, EtcdError */
    async client(key: string): Promise<EtcdClient> {
        const known = this.clients.get(key);
        if (known) return known;
        const credentials = this.lent?.get(key) ?? this.credentials;
        if (!credentials) throw new Error("the operator's certificate is not known yet");
        const place = this.place(key);
        const way = this.access === "direct" ? directWay(place.address) : await this.connection(key);
        const isPlain = place.isPlain || (this.lent?.get(key)?.isPlain ?? false);
        const opened = await openEtcd(way, { ...place, ...credentials, isPlain });
        this.clients.set(key, opened);
        return opened;
    }

    /** Where a member serves its clients now. */
    endpoint(key: string): string {
        const { address, clientPort, isPlain } = this.place(key);
        return isPlain ? withoutTls(httpsUrl(address, clientPort)) : httpsUrl(address, clientPort);
    }

    private place(key: string): Place {
        return this.places.get(key) ?? placesOf(this.host(key), undefined)[0];
    }

    private settle(key: string, place: Place): void {
        if (isSame(this.place(key), place)) return;
        this.forget(key);
        this.places.set(key, place);
    }

    private forget(key: string): void {
        this.clients.get(key)?.close();
        this.clients.delete(key);
    }

    close(): void {
        for (const key of [...this.clients.keys()]) this.forget(key);
    }
}

/** Where a member's client port is, and a name that its certificate has. */
interface Place {
    readonly address: string;
    readonly clientPort: number;
    readonly serverName: string;
    /** It is served without TLS there. */
    readonly isPlain: boolean;
}

/**
 * Where to ask a member, best first. It serves where its running generation says, which may not be where it is declared; its certificate
 * is replaced under it, and has its declared name from then on.
 */
function placesOf(host: WantedHost, serving: Serving | undefined): readonly [Place, ...Place[]] {
    const declared = { address: host.address, clientPort: host.clientPort, serverName: host.name, isPlain: false };
    if (!serving) return [declared];
    // Of two, the one without TLS comes first, and knows everybody.
    const url = serving.clientUrl.split(",")[0]!;
    const { protocol, port } = new URL(url);
    const place = {
        ...declared,
        address: hostOfUrl(url),
        // A URL has no port that is its scheme's own.
        clientPort: Number(port || (protocol === "http:" ? "80" : "443")),
        isPlain: protocol === "http:",
    };
    return serving.name === host.name ? [place] : [place, { ...place, serverName: serving.name }];
}

/** What somebody set up by hand is a member with data, running or stopped, that is ours to start from now on. */
function withForeign(seen: HostSeen, foreign: ForeignEtcd | undefined): HostSeen {
    if (!foreign?.unit) return seen;
    const { unit, dataDir, isRunning } = foreign;
    return {
        ...seen,
        unit: isRunning ? "active" : "inactive",
        hasData: true,
        foreign: { unit, dataDir, isRunning, leaves: leavesOf(foreign), isPlain: isPlain(foreign) },
    };
}
