/** How the cluster grows: let in, add as learner, start, promote. */
import type { HostSeen, Member, Rule, Step, WantedHost, World } from "../types";
import {
    hostOf,
    initialCluster,
    isAlive,
    isUp,
    learners,
    memberOf,
    nameOf,
    peerAddresses,
    peerHosts,
    refuse,
    seenHost,
    step,
    voters,
    wait,
} from "../world";

/** Invariant: a peer is let in everywhere before it is added anywhere. */
export const letIn: Rule = (world) => {
    if (!world.wanted.firewall) return undefined;
    const addresses = peerAddresses(world);
    const shut = peerHosts(world).filter((host) => {
        const open = seenHost(world, host).peersLetIn;
        return addresses.some((address) => !open.includes(address));
    });
    if (shut.length === 0) return undefined;
    return step(
        { kind: "let-in", hosts: shut.map((host) => host.key), addresses },
        "members must reach each other before one is added",
    );
};

/** Invariant: who is about to start finds its generation in place, and nothing starts by that. */
export const activate: Rule = (world) => {
    const waiting = world.wanted.hosts.filter((host) => {
        const member = memberOf(world, host);
        const seen = seenHost(world, host);
        const isToStart = !member || member.isLearner || member.name === "";
        return isToStart && !isUp(seen) && !seen.hasData && isStale(seen, host);
    });
    if (waiting.length === 0) return undefined;
    return step(
        { kind: "activate", hosts: waiting.map((host) => host.key) },
        "so that a member that was added can start at once",
    );
};

function isStale(seen: HostSeen, host: WantedHost): boolean {
    return host.generation === undefined ? seen.current === undefined : seen.current !== host.generation;
}

/** Invariant: who joins comes as a learner, with no data of another life, and all learners are listed before the first one starts. */
export const addLearner: Rule = (world) => {
    const missing = world.wanted.hosts.filter((host) => !memberOf(world, host));
    const [next] = missing;
    if (!next || learners(world).length >= world.wanted.maxLearners) return undefined;
    const seen = seenHost(world, next);
    if (seen.hasData || isUp(seen)) return leftBehind(world, next, seen);
    const ill = voters(world).filter((voter) => !isAlive(world, voter));
    if (ill.length > 0) {
        return refuse(
            `host "${next.name}" is not added: voter "${nameOf(world, ill[0]!)}" does not answer, and a cluster grows only while every voter does; repair it, or take it off the list`,
        );
    }
    return step({ kind: "add-learner", host: next.key, peerUrl: next.peerUrl }, "it is declared and not a member yet");
};

/** A host that is no member but holds a member's data: only data of this very cluster is ours to move aside. */
function leftBehind(world: World, host: WantedHost, seen: HostSeen): ReturnType<Rule> {
    const clusterId = world.seen.cluster?.clusterId;
    if (seen.identity?.clusterId && seen.identity.clusterId === clusterId) {
        return step(
            { kind: "set-aside", host: host.key },
            "its data is that of a member which was removed, and never rejoins",
        );
    }
    if (seen.identity && !seen.identity.clusterId && seen.identity.clusterToken === world.wanted.clusterToken) {
        return step({ kind: "set-aside", host: host.key }, "its data was left by a start that never joined");
    }
    return refuse(
        `host "${host.name}" runs etcd or has data in ${world.wanted.dataDir} but is not a member of cluster ${clusterId}; it was left alone: move the data away, or take the host off the list`,
    );
}

/** Invariant: joining members start one after the other, each with the full list, or they wait for each other (rule 10). */
export const join: Rule = (world) => {
    for (const host of world.wanted.hosts) {
        const member = memberOf(world, host);
        if (!member || (!member.isLearner && member.name !== "")) continue;
        const seen = seenHost(world, host);
        if (!isUp(seen)) {
            return step(
                { kind: "join", host: host.key, memberId: member.id, initialCluster: initialCluster(world) },
                `it was added as ${member.isLearner ? "learner" : "voter"} ${member.id}`,
            );
        }
        if (seen.hasData || seen.servesPeers || seen.status) continue;
        return wait(
            `member "${host.name}" has found its peers`,
            world.wanted.timeouts.healthSeconds,
            [host.key],
            undo(host, member),
        );
    }
    return undefined;
};

/** A learner that does not come up goes again. A voter that somebody else added does not: that is theirs to say. */
function undo(host: WantedHost, member: Member): Step | undefined {
    if (!member.isLearner) return undefined;
    return {
        kind: "remove",
        name: host.name,
        memberId: member.id,
        snapshotOn: undefined,
        because: "it did not start in time; a learner holds nothing of its own",
    };
}

/** Invariant: voters change one at a time, and only while every voter and the learner itself are alive. */
export const promote: Rule = (world) => {
    const ready = declaredLearners(world).find(({ member }) => isAlive(world, member));
    if (!ready) return undefined;
    const ill = voters(world).find((voter) => !isAlive(world, voter));
    if (ill) {
        const where = hostOf(world, ill) ?? ready.host;
        return wait(`voter "${nameOf(world, ill)}" is healthy`, world.wanted.timeouts.healthSeconds, [where.key]);
    }
    return step({ kind: "promote", host: ready.host.key, memberId: ready.member.id }, progress(world, ready.host));
};

/** Invariant: a learner that was started is waited for, and not for ever. */
export const awaitLearner: Rule = (world) => {
    const [slow] = declaredLearners(world);
    if (!slow) return undefined;
    const { host, member } = slow;
    return wait(
        `learner "${host.name}" reaches the leader`,
        world.wanted.timeouts.healthSeconds,
        [host.key],
        undo(host, member),
    );
};

function declaredLearners(world: World): readonly { readonly host: WantedHost; readonly member: Member }[] {
    return learners(world).flatMap((member) => {
        const host = hostOf(world, member);
        return host && world.wanted.hosts.includes(host) ? [{ host, member }] : [];
    });
}

function progress(world: World, host: WantedHost): string {
    const learner = seenHost(world, host).status?.raftIndex;
    const leader = Object.values(world.seen.hosts).find(
        (seen) => seen.status?.memberId === world.seen.cluster?.leaderId,
    )?.status?.raftIndex;
    if (!learner || !leader) return "it takes part and catches up";
    return `raft index ${learner} of ${leader}`;
}
