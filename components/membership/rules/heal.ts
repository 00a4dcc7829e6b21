/** What is ill is looked after before anything else changes. */
import type { Rule, WantedHost, World } from "../types";
import {
    hostOf,
    initialCluster,
    isAlive,
    isHealthy,
    isUp,
    memberOf,
    quorum,
    quoted,
    refuse,
    seenHost,
    snapshotHost,
    step,
    voters,
    wait,
} from "../world";

/** Invariant: once the cluster answers, no file says "new" any more, so that no start can ever found a second one. */
export const flip: Rule = (world) => {
    if (!world.seen.cluster) return undefined;
    const host = world.wanted.hosts.find((candidate) => {
        const { initialClusterState, identity } = seenHost(world, candidate);
        return memberOf(world, candidate) && (initialClusterState === "new" || (identity && !identity.clusterId));
    });
    if (!host) return undefined;
    return step(
        { kind: "record", hosts: [host.key], initialCluster: initialCluster(world) },
        "the cluster lives: initial-cluster-state is existing from now on",
    );
};

/** Invariant: a member is started only with its own data; a generation that broke it is replaced on this host alone. */
export const startStopped: Rule = (world) => {
    for (const host of world.wanted.hosts) {
        const member = memberOf(world, host);
        const seen = seenHost(world, host);
        if (!member || isUp(seen) || !seen.hasData) continue;
        if (isStale(world, host)) {
            return step(
                { kind: "restart", host: host.key, generation: host.generation ?? "" },
                `it is ${seen.unit}, and another generation is staged`,
            );
        }
        return step({ kind: "start", host: host.key }, `it is ${seen.unit}`);
    }
    return undefined;
};

/** Invariant: data that is lost is not replaced by an empty directory under the same identity: remove, then add. */
export const lostData: Rule = (world) => {
    for (const host of world.wanted.hosts) {
        const member = memberOf(world, host);
        const seen = seenHost(world, host);
        if (!member || seen.hasData || isUp(seen) || member.name === "") continue;
        if (member.isLearner) {
            return step(
                { kind: "remove", name: host.name, memberId: member.id, snapshotOn: undefined },
                "its host lost the data directory; it is added again afterwards",
            );
        }
        const others = voters(world).filter((voter) => voter.id !== member.id);
        const healthy = others.filter((voter) => isHealthy(world, voter));
        if (
            others.length === 0 ||
            healthy.length < quorum(others.length) ||
            healthy.length < quorum(others.length + 1)
        ) {
            return refuse(
                `member "${host.name}" lost its data directory and is not removed: ${healthy.length} of ${others.length} other voters are healthy and ${quorum(others.length + 1)} are needed; repair them first`,
            );
        }
        return step(
            { kind: "remove", name: host.name, memberId: member.id, snapshotOn: snapshotHost(world, member) },
            "its host lost the data directory; it is added again afterwards",
        );
    }
    return undefined;
};

/** Invariant: while a voter is ill nothing else is changed; its own pending generation is the one thing that may help. */
export const illVoter: Rule = (world) => {
    for (const voter of voters(world)) {
        const host = hostOf(world, voter);
        if (!host || !world.wanted.hosts.includes(host) || isHealthy(world, voter)) continue;
        if (isAlive(world, voter) && !isStale(world, host)) continue;
        if (isStale(world, host)) {
            return step(
                { kind: "restart", host: host.key, generation: host.generation ?? "" },
                "it is not healthy, and another generation is staged",
            );
        }
        return wait(`member "${host.name}" is healthy`, world.wanted.timeouts.healthSeconds, [host.key]);
    }
    return undefined;
};

/**
 * Invariant: nothing shrinks or restarts before every declared voter answers clients itself. It is asked last, since a voter that
 * has just joined replicates at once and may open its client port only seconds later.
 */
export const settle: Rule = (world) => {
    const waiting = world.wanted.hosts.filter((host) => {
        const member = memberOf(world, host);
        return member && !member.isLearner && !isHealthy(world, member);
    });
    if (waiting.length === 0) return undefined;
    const names = waiting.map((host) => host.name);
    return wait(
        `${quoted(names)} ${names.length > 1 ? "answer" : "answers"} clients`,
        world.wanted.timeouts.healthSeconds,
        waiting.map((host) => host.key),
    );
};

/** The next start would run another generation than the one that is wanted. */
function isStale(world: World, host: WantedHost): boolean {
    return host.generation !== undefined && seenHost(world, host).current !== host.generation;
}
