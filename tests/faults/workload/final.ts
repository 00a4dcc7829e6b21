/** What is there at the end, and whether every member has the same. */
import { hexId } from "../../../components/remote/etcdId";
import { textOf } from "./clients";
import type { Endpoint } from "./endpoint";
import type { Recording, Replica } from "./recording";
import { endOf } from "./watch";

const PAGE = 2000;

/** All keys of a prefix, linearizably, as of one revision. @throws when no endpoint answers in time */
export async function readAll(
    endpoints: readonly Endpoint[],
    prefix: string,
    seconds: number,
): Promise<Recording["final"]> {
    let turn = 0;
    return eventually(`read all keys that begin with "${prefix}"`, seconds, () =>
        readThrough(endpoints[turn++ % endpoints.length]!, prefix),
    );
}

async function readThrough(endpoint: Endpoint, prefix: string): Promise<Recording["final"]> {
    const keys: { key: string; value: string; revision: number }[] = [];
    let revision = 0;
    for (let from: Buffer = Buffer.from(prefix); ;) {
        const page = await endpoint.call((etcd, options) =>
            etcd.kv.range({ key: from, range_end: endOf(prefix), limit: PAGE, revision }, options),
        );
        revision ||= Number(page.header.revision);
        for (const { key, value, mod_revision } of page.kvs)
            keys.push({ key: key.toString(), value: value.toString(), revision: Number(mod_revision) });
        const last = page.kvs.at(-1);
        if (!page.more || !last) return { revision, keys };
        from = Buffer.concat([last.key, Buffer.from([0])]);
    }
}

/** A member that lags is given time to catch up; then its hash is that of the given revision, whatever came later. */
export function lookAtReplica(endpoint: Endpoint, revision: number, seconds: number): Promise<Replica> {
    return eventually(`ask ${endpoint.name} for its hash at revision ${revision}`, seconds, async () => {
        const { hash, compact_revision } = await endpoint.call((etcd, options) => etcd.hashKv(revision, options));
        const { members } = await endpoint.call((etcd, options) =>
            etcd.cluster.memberList({ linearizable: false }, options),
        );
        return {
            endpoint: endpoint.name,
            hash,
            compactRevision: compact_revision,
            members: members
                .map(({ ID, name, peerURLs, isLearner }) =>
                    [hexId(ID), name, peerURLs.join(","), isLearner ? "learner" : "voter"].join(" "),
                )
                .sort(),
        };
    }).catch((error: unknown) => ({ endpoint: endpoint.name, error: textOf(error) }));
}

async function eventually<T>(what: string, seconds: number, ask: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + seconds * 1000;
    for (;;) {
        try {
            return await ask();
        } catch (error) {
            if (performance.now() > deadline)
                throw new Error(`could not ${what} within ${seconds} s: ${textOf(error)}`, { cause: error });
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
}
