/** What is ill is looked after before anything else changes. */
import { quoted } from "../../quote";
import type { HostSeen, Member, Rule, WantedHost, World } from "../types";
import {
    hostOf,
    initialCluster,
    isAlive,
    isBetweenAddresses,
    isDead,
    isHealthy,
    isLeaderAsked,
    isSilent,
    isUp,
    memberOf,
    quorum,
    runsOther,
    seenHost,
    step,
    voters,
    wait,
} from "../world";
import { start } from "./bootstrap";
import { leaderRemedy } from "./readdress";
import { remove } from "./remove";
import { restart } from "./restart";

/**
 * Invariant: once the cluster answers, no file says "new" any more, so that no start can ever found a second one. None is without what it
 * said either, as after a loss of power: a member is not stopped while it is not sure to start.
 */
export const flip: Rule = (world) => {
    if (!world.seen.cluster) return undefined;
    const members = world.wanted.hosts.filter((host) => memberOf(world, host));
    const young = members.find((host) => {
        const { initialClusterState, identity } = seenHost(world, host);
        return initialClusterState === "new" || (identity && !identity.clusterId);
    });
    const untold = members.find((host) => {
        const { status, foreign, initialClusterState, identity } = seenHost(world, host);
        return status && !foreign && (initialClusterState === undefined || !identity);
    });
    const host = young ?? untold;
    if (!host) return undefined;
    return step(
        { kind: "record", hosts: [host.key], initialCluster: initialCluster(world) },
        young
            ? "the cluster lives: initial-cluster-state is existing from now on"
            : "what was noted there about the cluster and its member is gone",
    );
};

/** Invariant: a member runs only on its own data. */
export const formerData: Rule = (world) => {
    for (const host of world.wanted.hosts) {
        const member = memberOf(world, host);
        const { unit, identity, hasData, hasLeft, status, servesPeers } = seenHost(world, host);
        if (!member || !hasData || status || servesPeers) continue;
        const isFormer = identity?.memberId !== undefined && identity.memberId !== member.id;
        if (!isFormer && !hasLeft) continue;
        return step(
            { kind: "set-aside", host: host.key },
            `it is ${unit} with the data of a member that was removed, which never rejoins as ${member.id}`,
        );
    }
    return undefined;
};

/** Invariant: a log that is not what was written is not mended in place: its member gives way to a copy of what the others have. */
export const damagedData: Rule = (world) => {
    for (const host of world.wanted.hosts) {
        const member = memberOf(world, host);
        const { hasData, isDamaged, status, servesPeers } = seenHost(world, host);
        if (!member || !hasData || !isDamaged || status || servesPeers) continue;
        return remove(world, member, "its write-ahead log is damaged; it is added again afterwards");
    }
    return undefined;
};

/** Invariant: a stopped member is started as it is; another generation comes when all are well, or when it stays ill. */
export const startStopped: Rule = (world) => {
    for (const host of world.wanted.hosts) {
        const member = memberOf(world, host);
        const seen = seenHost(world, host);
        if (!member || isUp(seen) || !seen.hasData) continue;
        const verdict = start(world, host, `it is ${seen.unit}`);
        const isTold = seen.initialClusterState !== undefined;
        if (isTold || seen.foreign || (verdict.verdict === "step" && verdict.step.kind === "activate")) return verdict;
        return step(
            { kind: "join", host: host.key, memberId: member.id, initialCluster: initialCluster(world) },
            `it is ${seen.unit}, and was not told who its peers are`,
        );
    }
    return undefined;
};

/** Invariant: who has no data does not start under an identity that may have voted: remove, then add. */
export const lostData: Rule = (world) => {
    for (const host of world.wanted.hosts) {
        const member = memberOf(world, host);
        const seen = seenHost(world, host);
        if (!member || seen.hasData || seen.status || seen.servesPeers) continue;
        // One that runs may have found its data since it was looked at. Who leads has some, and only the leader knows who else takes part.
        if (isUp(seen) && !isLeaderAsked(world)) continue;
        const isAdded = member.isLearner && member.name === "";
        if (!isAdded) return remove(world, member, "its host has no data; it is added again afterwards");
    }
    return undefined;
};

/**
 * Invariant: while a voter is ill nothing else changes. The staged generation is the one thing that may help it, and is tried on one
 * voter only: who has it already, and is not healthy yet, is waited for.
 */
export const illVoter: Rule = (world) => {
    const unwell = declaredVoters(world).filter(({ member }) => !isHealthy(world, member));
    // A new voter that takes part, and runs what it shall, will open its client port: nobody waits for it here.
    const ill = unwell.filter(({ host, member }) => !isAlive(world, member) || runsOther(world, host));
    // One without data is none that a restart helps, and may have to wait for one that it helps.
    const curable = ill.filter(({ host }) => seenHost(world, host).hasData || seenHost(world, host).foreign);
    const next = curable.find(({ member }) => !isAlive(world, member)) ?? curable[0] ?? ill[0];
    if (!next) return undefined;
    const { healthSeconds } = world.wanted.timeouts;
    const treated = unwell.find(({ host }) => !runsOther(world, host));
    if (treated) {
        const remedy = isUnheard(seenHost(world, treated.host)) ? leaderRemedy(world) : undefined;
        const healthy = wait(`member "${treated.host.name}" is healthy`, healthSeconds, [treated.host.key]);
        return { ...healthy, ...(remedy && { remedy }) };
    }
    const treatment = restart(world, next.host, "it is not healthy, and another generation is staged");
    if (treatment.verdict !== "step" || !isNeeded(world, next)) return treatment;
    return wait(`member "${next.host.name}" is healthy`, healthSeconds, [next.host.key], treatment.step);
};

/**
 * Invariant: nothing shrinks or restarts before every declared voter answers clients itself. It is asked last, since a voter that
 * has just joined replicates at once and may open its client port only seconds later.
 */
export const settle: Rule = (world) => {
    const waiting = declaredVoters(world).filter(({ member }) => !isHealthy(world, member));
    if (waiting.length === 0) return undefined;
    const names = waiting.map(({ host }) => host.name);
    return wait(
        `${quoted(names)} ${names.length > 1 ? "answer" : "answers"} clients`,
        world.wanted.timeouts.healthSeconds,
        waiting.map(({ host }) => host.key),
    );
};

/** It runs, and what ails it may be that it can't reach the leader. */
function isUnheard(host: HostSeen): boolean {
    return isSilent(host) && host.running !== undefined;
}

interface Voter {
    readonly host: WantedHost;
    readonly member: Member;
}

function declaredVoters(world: World): readonly Voter[] {
    return voters(world).flatMap((member) => {
        const host = hostOf(world, member);
        return host && world.wanted.hosts.includes(host) ? [{ host, member }] : [];
    });
}

/**
 * The quorum may rest on it: a new voter, say, whose client port opens late; or one that holds the connections of a member which can make
 * no others.
 */
function isNeeded(world: World, { member }: Voter): boolean {
    const others = voters(world).filter((other) => {
        const host = hostOf(world, other);
        return other.id !== member.id && isAlive(world, other) && !(host && isBetweenAddresses(world, host));
    });
    return !isDead(world, member) && others.length < quorum(voters(world).length);
}
