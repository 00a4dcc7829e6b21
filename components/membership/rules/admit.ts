/** How the cluster grows: let in, add as learner, start, promote. */
import type { HostSeen, Member, Rule, Verdict, WantedHost, World } from "../types";
import {
    hostOf,
    initialCluster,
    isAlive,
    isHealthy,
    isLeaderAsked,
    isSilent,
    isStale,
    isUp,
    learners,
    memberOf,
    members,
    nameOf,
    pathsOf,
    peerAddresses,
    peerHosts,
    refuse,
    seenHost,
    step,
    voters,
    wait,
} from "../world";
import { renew } from "./bootstrap";
import { muteLeaderRemedy } from "./readdress";

/**
 * Invariant: members reach each other, and a peer is let in everywhere before it is added anywhere. Nobody is shut out while the list
 * can't be read: a host that can't be seen may be what the quorum rests on.
 */
export const letIn: Rule = (world) => {
    if (!world.wanted.firewall) return undefined;
    const known = world.seen.cluster ? [] : peerHosts(world).flatMap((host) => seenHost(world, host).peersLetIn);
    const addresses = [...new Set([...peerAddresses(world), ...known])].sort();
    const shut = peerHosts(world).filter((host) => {
        const open = seenHost(world, host).peersLetIn;
        return addresses.some((address) => !open.includes(address));
    });
    if (shut.length === 0) return undefined;
    return step({ kind: "let-in", hosts: shut.map((host) => host.key), addresses }, "members must reach each other");
};

/** Invariant: who is about to start finds its generation in place, and nothing starts by that. */
export const activate: Rule = (world) => {
    const waiting = world.wanted.hosts.filter((host) => {
        const member = memberOf(world, host);
        const seen = seenHost(world, host);
        const isToStart = (!member || member.isLearner) && !isUp(seen) && !seen.hasData;
        return isToStart && (isStale(world, host) || seen.current === undefined || seen.unit === "absent");
    });
    if (waiting.length === 0) return undefined;
    return step(
        { kind: "activate", hosts: waiting.map((host) => host.key) },
        "so that a member that was added can start at once",
    );
};

/**
 * Invariant: who joins comes as a learner, with no data of another life, and all learners are listed before the first one starts. Those
 * that have started are promoted first: a list that changes under a member that reads it keeps it from starting, and an even number of
 * voters is not waited with. They answer clients before more are added, so that what is wrong with them is wrong with no more. Who joins
 * has TLS: members that have no certificate to call it with are taken over before.
 */
export const addLearner: Rule = (world) => {
    const next = world.wanted.hosts.find((host) => !memberOf(world, host));
    if (!next || learners(world).length >= learnerLimit(world)) return undefined;
    if (declaredLearners(world).some(({ host }) => isUp(seenHost(world, host)))) return undefined;
    if (voters(world).some((voter) => !isHealthy(world, voter))) return undefined;
    if (world.wanted.hosts.some((host) => memberOf(world, host) && seenHost(world, host).foreign?.isPlain))
        return undefined;
    const seen = seenHost(world, next);
    if (seen.hasData || isUp(seen)) return leftBehind(world, next, seen);
    return step({ kind: "add-learner", host: next.key, peerUrl: next.peerUrl }, "it is declared and not a member yet");
};

/**
 * Each member judges by its own limit when it applies an addition (etcd v3.6 server/etcdserver/api/membership/cluster.go:
 * ValidateConfigurationChange), so that what one refuses and another takes would part their lists for ever: the least limit holds.
 */
function learnerLimit(world: World): number {
    const limits = members(world).map((member) => {
        const host = hostOf(world, member);
        // One that never started has no say yet, and will start with what is staged.
        const limit = host && seenHost(world, host).maxLearners;
        return limit ?? (member.name === "" ? world.wanted.maxLearners : 1);
    });
    return Math.min(world.wanted.maxLearners, ...limits);
}

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
    const { dataDir, unit } = pathsOf(world);
    return refuse(
        `host "${host.name}" runs etcd or has data in ${dataDir} but is not a member of cluster ${clusterId}; it was left alone: stop etcd there (systemctl disable --now ${unit}) and move the data away, or take the host off the list`,
    );
}

/**
 * Invariant: joining members start one after the other, each with the full list, or they wait for each other. The next one
 * starts when the one before has data, which it makes right after it has found its peers.
 */
export const join: Rule = (world) => {
    for (const { host, member } of declaredLearners(world)) {
        const seen = seenHost(world, host);
        if (isUp(seen) && !isSilent(seen)) continue;
        const list = initialCluster(world);
        const isToldOtherwise = !seen.hasData && seen.initialCluster !== list;
        if (!isUp(seen) || isToldOtherwise) {
            return step(
                { kind: "join", host: host.key, memberId: member.id, initialCluster: list },
                `it was added as learner ${member.id}`,
            );
        }
        const renewal = renew(world, host);
        if (renewal) return renewal;
        if (!seen.hasData) return waitForLearner(world, host, member, "has found its peers");
    }
    return undefined;
};

/** Who is to join next, when this one is started. */
export function joinersAfter(world: World, key: string): ReturnType<typeof declaredLearners> {
    return declaredLearners(world).filter(({ host }) => {
        const seen = seenHost(world, host);
        return host.key !== key && seen.reach.ok && !isUp(seen) && !seen.hasData;
    });
}

/** Invariant: voters change one at a time, and only while every voter and the learner itself are alive. */
export const promote: Rule = (world) => {
    const ready = declaredLearners(world).find(({ member }) => isAlive(world, member));
    if (!ready) return undefined;
    const dead = voters(world).find((voter) => !isAlive(world, voter));
    if (dead) {
        const where = hostOf(world, dead) ?? ready.host;
        return wait(`voter "${nameOf(world, dead)}" is healthy`, world.wanted.timeouts.healthSeconds, [where.key]);
    }
    return step({ kind: "promote", host: ready.host.key, memberId: ready.member.id }, progress(world, ready.host));
};

/**
 * Invariant: a learner that was started is waited for, and not for ever. One that the leader may hear is not removed for what the leader
 * does not say.
 */
export const awaitLearner: Rule = (world) => {
    const [slow] = declaredLearners(world);
    if (!slow) return undefined;
    if (isLeaderAsked(world)) {
        if (!seenHost(world, slow.host).isUncallable)
            return waitForLearner(world, slow.host, slow.member, "reaches the leader");
        const remedy = `the leader hears from it, and can't call ${slow.member.peerUrls.join(",")}: see what keeps members out there, as a firewall in front of "${slow.host.name}"`;
        return { ...waitForLearner(world, slow.host, slow.member, "is reached by the leader"), remedy };
    }
    const until = `the leader says whether it hears learner "${slow.host.name}"`;
    const said = wait(until, world.wanted.timeouts.healthSeconds, [slow.host.key]);
    return { ...said, remedy: muteLeaderRemedy(world) };
};

function waitForLearner({ wanted }: World, host: WantedHost, member: Member, until: string): Verdict {
    return wait(`learner "${host.name}" ${until}`, wanted.timeouts.healthSeconds, [host.key], {
        kind: "remove",
        name: host.name,
        memberId: member.id,
        snapshotOn: undefined,
        because: "it did not start in time, and a learner holds nothing of its own",
    });
}

function declaredLearners(world: World): readonly { readonly host: WantedHost; readonly member: Member }[] {
    return world.wanted.hosts.flatMap((host) => {
        const member = memberOf(world, host);
        return member?.isLearner ? [{ host, member }] : [];
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
