import type { Etcd3 } from "etcd3";

import { within } from "./deadline";
import type { Way } from "./direct";
import { isEtcdError } from "./errors";
import type { EtcdAccess } from "./etcdAccess";
import { toEtcdError } from "./etcdErrors";
import { decimalId, hexId } from "./etcdId";
import { EtcdMetrics, type PeerTraffic } from "./etcdMetrics";
import { Tunnel } from "./tunnel";

/** 64-bit ids of members and clusters, here and everywhere in the package: lower-case hexadecimal, as etcd's logs print them. */
export type Id = string;

/** One entry of the member list. */
export interface EtcdMember {
    readonly id: Id;
    /** Empty until the member has started once. */
    readonly name: string;
    readonly peerUrls: readonly string[];
    readonly clientUrls: readonly string[];
    readonly isLearner: boolean;
}

/** What one member says about itself. */
export interface EtcdStatus {
    readonly memberId: Id;
    readonly clusterId: Id;
    /** Undefined while it knows of no leader. */
    readonly leaderId: Id | undefined;
    readonly raftIndex: number;
    readonly raftAppliedIndex: number;
    readonly raftTerm: number;
    readonly dbSizeBytes: number;
    readonly isLearner: boolean;
    readonly version: string;
    /** Alarms and the like, in etcd's words. */
    readonly errors: readonly string[];
}

/**
 * Opens etcd's API on one member. Nothing is asked yet.
 * @param way the SSH connection to its host, or `directWay`
 */
export async function openEtcd(way: Way, access: EtcdAccess): Promise<EtcdClient> {
    // Loading etcd3 takes longer than an answer of etcd; whoever asks nothing should not wait for it.
    const [{ Etcd3 }, { noop }] = await Promise.all([import("etcd3"), import("cockatiel")]);
    const tunnel = await Tunnel.open(way, access.address, access.clientPort);
    const credentials = {
        rootCertificate: Buffer.from(access.ca),
        privateKey: Buffer.from(access.key),
        certChain: Buffer.from(access.cert),
    };
    const client = new Etcd3({
        hosts: `${access.isPlain ? "http" : "https"}://127.0.0.1:${tunnel.port}`,
        ...(!access.isPlain && { credentials }),
        // Never again by itself: a call whose answer was lost may have been done.
        faultHandling: { host: () => noop, global: noop },
        grpcOptions: {
            "grpc.ssl_target_name_override": access.serverName,
            "grpc.default_authority": access.serverName,
            "grpc.enable_retries": 0,
            "grpc.enable_http_proxy": 0,
            "grpc.initial_reconnect_backoff_ms": 100,
            "grpc.max_reconnect_backoff_ms": 1000,
        },
    });
    return new EtcdClient(way.host, access, client, tunnel);
}

/** etcd's API on one member. Every call is tried once, within its time. All that it throws is an `EtcdError`. */
export class EtcdClient {
    readonly #timeoutSeconds: number;
    readonly #metrics: EtcdMetrics;
    #version: string | undefined;

    /** @internal */
    constructor(
        /** For messages: `root@10.0.0.1`. */
        readonly host: string,
        access: EtcdAccess,
        private readonly client: Etcd3,
        private readonly tunnel: Tunnel,
    ) {
        this.#timeoutSeconds = access.timeoutSeconds ?? 5;
        this.#metrics = new EtcdMetrics(tunnel.port, access, this.#timeoutSeconds);
    }

    /** @param options.linearizable as a quorum knows it, else as this member does */
    async memberList(options: { readonly linearizable: boolean }): Promise<EtcdMember[]> {
        if (options.linearizable && (await this.#listsItsOwn())) await this.#read();
        const { members } = await this.#call("list members", (deadline) =>
            this.client.cluster.memberList({ linearizable: options.linearizable }, deadline),
        );
        return members.map(toMember);
    }

    /** @returns the new member; it has no name before it starts */
    async memberAdd(peerUrl: string, isLearner: boolean): Promise<EtcdMember> {
        const { member } = await this.#call(`add member ${peerUrl}`, (deadline) =>
            this.client.cluster.memberAdd({ peerURLs: [peerUrl], isLearner }, deadline),
        );
        return toMember(member);
    }

    async memberPromote(id: Id): Promise<void> {
        await this.#call(`promote member ${id}`, (deadline) =>
            this.client.cluster.memberPromote({ ID: decimalId(id) }, deadline),
        );
    }

    async memberRemove(id: Id): Promise<void> {
        await this.#call(`remove member ${id}`, (deadline) =>
            this.client.cluster.memberRemove({ ID: decimalId(id) }, deadline),
        );
    }

    async memberUpdate(id: Id, peerUrls: readonly string[]): Promise<void> {
        await this.#call(`update member ${id}`, (deadline) =>
            this.client.cluster.memberUpdate({ ID: decimalId(id), peerURLs: [...peerUrls] }, deadline),
        );
    }

    /** Only the leader itself can do it. */
    async moveLeader(targetId: Id): Promise<void> {
        await this.#call(`move the leader to ${targetId}`, (deadline) =>
            this.client.maintenance.moveLeader({ targetID: decimalId(targetId) }, deadline),
        );
    }

    async status(): Promise<EtcdStatus> {
        const seen = await this.#call("status", (deadline) => this.client.maintenance.status(deadline));
        this.#version = seen.version;
        return {
            memberId: hexId(seen.header.member_id),
            clusterId: hexId(seen.header.cluster_id),
            leaderId: seen.leader === "0" ? undefined : hexId(seen.leader),
            raftIndex: Number(seen.raftIndex),
            raftAppliedIndex: Number(seen.raftAppliedIndex),
            raftTerm: Number(seen.raftTerm),
            dbSizeBytes: Number(seen.dbSize),
            isLearner: seen.isLearner,
            version: seen.version,
            errors: seen.errors,
        };
    }

    /** True if a quorum answers a read through this member. Never throws. */
    async isHealthy(): Promise<boolean> {
        try {
            await this.#read();
            return true;
        } catch (error) {
            return isEtcdError(error, "permission"); // It had to ask the quorum to know.
        }
    }

    /**
     * Whether its users and roles are on (`etcdctl auth enable`). 3.4 has no question for that, but tells a user whom it does not have that
     * they are off, if they are.
     */
    async hasUsers(): Promise<boolean> {
        try {
            await this.#call("ask for users", (deadline) =>
                this.client.auth.authenticate({ name: "", password: "" }, deadline),
            );
            return true;
        } catch (error) {
            if (isEtcdError(error, "no-users")) return false;
            if (isEtcdError(error, "permission")) return true;
            throw error;
        }
    }

    /** What is raised now, in etcd's words: NOSPACE, CORRUPT. The library has spellings of its own. */
    async alarms(): Promise<{ readonly memberId: Id; readonly alarm: string }[]> {
        const { alarms } = await this.#call("list alarms", (deadline) => this.client.maintenance.alarm({}, deadline));
        return alarms.map(({ memberID, alarm }) => ({ memberId: hexId(memberID), alarm: alarm.toUpperCase() }));
    }

    /** @returns the revision that it made */
    async put(key: string, value: string): Promise<string> {
        const { header } = await this.#call(`put ${key}`, (deadline) =>
            this.client.kv.put({ key: Buffer.from(key), value: Buffer.from(value) }, deadline),
        );
        return header.revision;
    }

    /** Read from a quorum. @returns undefined if there is no such key */
    async get(key: string): Promise<string | undefined> {
        const { kvs } = await this.#call(`get ${key}`, (deadline) =>
            this.client.kv.range({ key: Buffer.from(key) }, deadline),
        );
        return kvs[0]?.value.toString();
    }

    /**
     * By id, the other members from which this one hears right now. Ask the leader: it hears each follower and learner every 0.1 s.
     * One that died is not among them, one that is cut off neither; to be sure of that takes up to 1.5 s.
     * A member hears a learner before the learner serves clients.
     */
    async activePeers(): Promise<ReadonlyMap<Id, PeerTraffic>> {
        return this.#within("look at peers", () => this.#metrics.activePeers());
    }

    close(): void {
        this.client.close();
        this.#metrics.close();
        this.tunnel.close();
    }

    async #read(): Promise<void> {
        await this.#call("read", (deadline) =>
            this.client.kv.range({ key: Buffer.from("health"), count_only: true }, deadline),
        );
    }

    /** etcd 3.4 knows no linearizable list: a read of the quorum before it makes the member catch up. */
    async #listsItsOwn(): Promise<boolean> {
        this.#version ??= (await this.status()).version;
        return this.#version.startsWith("3.4.");
    }

    async #call<T>(what: string, call: (options: { deadline: number }) => Promise<T>): Promise<T> {
        return this.#within(what, () => call({ deadline: Date.now() + this.#timeoutSeconds * 1000 }));
    }

    async #within<T>(what: string, work: () => Promise<T>): Promise<T> {
        try {
            // gRPC's own deadline comes first; this one also holds when nothing else keeps the process alive.
            return await within(this.#timeoutSeconds + 0.5, work(), () => new Error("deadline exceeded"));
        } catch (error) {
            throw toEtcdError(this.host, what, error, this.tunnel.lastError);
        }
    }
}

function toMember(member: {
    ID: string;
    name: string;
    peerURLs: string[];
    clientURLs: string[];
    isLearner: boolean;
}): EtcdMember {
    return {
        id: hexId(member.ID),
        name: member.name,
        peerUrls: member.peerURLs,
        clientUrls: member.clientURLs,
        isLearner: member.isLearner,
    };
}
