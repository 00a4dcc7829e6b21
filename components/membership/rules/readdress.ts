/** What the list says of a host that is the same machine with the same data, at another address or port. */
import { hostOfUrl } from "../../address";
import { withoutTls } from "../../host/settings";
import type { Member, Rule, Step, Verdict, WantedHost, World } from "../types";
import {
    hostOf,
    initialCluster,
    isAtItsPlace,
    isBetweenAddresses,
    isHealthy,
    isLeader,
    isLeaderAsked,
    isListed,
    isSilent,
    isUp,
    knownHosts,
    learners,
    memberOf,
    members,
    nameOf,
    pathsOf,
    reachableLeader,
    refuse,
    residentOf,
    runsOther,
    seenHost,
    step,
    voters,
    wait,
    type Voter,
} from "../world";
import { answeringAs } from "../whomToAsk";
import { handOver, handOverTo } from "./handOver";
import { remove } from "./remove";
import { restart, restartInTurn } from "./restart";

/** Invariant: a member's data is in one place. Two that start from the same data vote twice. */
export const twoHomes: Rule = (world) => {
    for (const host of world.wanted.hosts) {
        const id = residentId(world, host);
        const other = knownHosts(world).find(
            (candidate) => candidate !== host && id !== undefined && residentId(world, candidate) === id,
        );
        if (!other) continue;
        const { dataDir, identity } = pathsOf(world);
        return refuse(
            `hosts "${host.name}" (${host.address}) and "${other.name}" (${other.address}) both hold the data of member ${id}, which may live on one of them only; nothing was changed: stop etcd on the one that is a copy, and move ${dataDir} and ${identity} away there`,
        );
    }
    return undefined;
};

/** Whose data a host holds: of the members, while the list is known. */
function residentId(world: World, host: WantedHost): string | undefined {
    const { hasData, status, identity } = seenHost(world, host);
    if (!hasData) return undefined;
    return world.seen.cluster ? residentOf(world, host)?.id : (status?.memberId ?? identity?.memberId);
}

/**
 * Invariant: the list says where a member serves its peers, also one that is about to go. They know it by the connections that it makes;
 * nobody who joins could find it. One that is listed where it is declared is on its way there.
 */
export const relist: Rule = (world) => {
    for (const host of knownHosts(world)) {
        const member = memberOf(world, host);
        const { status, serving } = seenHost(world, host);
        if (!member || member.isLearner || !status || !serving || isListed(serving.peerUrl, member.peerUrls)) continue;
        if (isAtItsPlace(host, member) && world.wanted.hosts.includes(host)) continue;
        // Nobody could call it there by its certificate.
        if (isBetweenAddresses(world, host)) continue;
        return update(world, host, member, serving.peerUrl, "it answers there, and nobody who joins could find it");
    }
    return undefined;
};

/**
 * Invariant: nobody leads who makes no new connection: a member that comes back, or joins, would never hear of it. What it has to do with
 * its peers goes on meanwhile.
 */
export const leadFromItsPlace: Rule = (world) => {
    const leader = leaderBetween(world);
    if (!leader || !isHealthy(world, leader.member)) return undefined;
    const { host, member } = leader;
    const { hosts, retired } = world.wanted;
    const successor = reachableLeader(world, hosts, member) ?? reachableLeader(world, retired, member);
    const because = `"${host.name}" leads and is between two addresses, where nobody who starts anew reaches it`;
    return successor && handOverTo(world, member, successor, because);
};

/**
 * A member that is declared no more, and whose move was begun before, is no obstacle to those who start anew, whom it could not reach: it
 * leaves before them. The only one ends its move: its host has all that it takes since it was declared.
 */
function endFormerMove(world: World): Verdict | undefined {
    const isToStart = (host: WantedHost): boolean =>
        memberOf(world, host)?.isLearner !== false || runsOther(world, host);
    if (!world.wanted.hosts.some(isToStart)) return undefined;
    for (const host of world.wanted.retired) {
        const member = memberOf(world, host);
        if (member?.isLearner !== false || !isBetweenAddresses(world, host)) continue;
        const because = "it is declared no more, and between two addresses, where nobody who starts anew reaches it";
        if (voters(world).length > 1) return handOver(world, member, because) ?? remove(world, member, because);
        const { staged, stagedPeerUrl } = seenHost(world, host);
        if (staged === undefined || stagedPeerUrl === undefined) return undefined;
        if (!isListed(stagedPeerUrl, member.peerUrls)) return update(world, host, member, stagedPeerUrl, because);
        return step({ kind: "restart", host: host.key, generation: staged }, because);
    }
    return undefined;
}

/** What helps a member that may be ill for no other reason than that it doesn't reach the leader, which nobody is well enough to relieve. */
export function leaderRemedy(world: World): string | undefined {
    const leader = leaderBetween(world);
    const serving = leader && seenHost(world, leader.host).serving;
    if (!serving) return undefined;
    const { name } = leader.host;
    return `nobody who starts anew reaches "${name}", which leads and is between two addresses: declare this one where it was ("${name}" at ${serving.peerUrl}), run pulumi up, and change it again once all are well`;
}

/** What helps while the leader does not say whom it hears. */
export function muteLeaderRemedy(world: World): string {
    const leader = members(world).find((one) => isLeader(world, one));
    const name = leader ? `"${nameOf(world, leader)}"` : "a member that is not in the list";
    return answeringAs(world.seen, leader?.id) === undefined
        ? `${name} leads and can't be asked: bring its host back, and run pulumi up`
        : `${name} leads, and its metrics can't be read: see why /metrics on its client port does not answer, and run pulumi up`;
}

/** The last resort for a leader that answers no clients for what it runs: what is staged for it. The quorum may rest on it. */
function relieveMuteLeader(world: World): Step | undefined {
    const host = world.wanted.hosts.find((candidate) => {
        const member = memberOf(world, candidate);
        return member && isLeader(world, member);
    });
    if (!host || !isSilent(seenHost(world, host)) || !runsOther(world, host)) return undefined;
    const verdict = restart(world, host, "it leads and answers no clients, and another generation is staged");
    return verdict.verdict === "step" ? verdict.step : undefined;
}

/** A leader that nobody who starts anew reaches. */
function leaderBetween(world: World): Voter | undefined {
    const member = members(world).find((one) => isLeader(world, one));
    const host = member && hostOf(world, member);
    return host && isBetweenAddresses(world, host) ? { host, member } : undefined;
}

/** Invariant: a member's own file has it where the list has it: while nobody answers, nothing else tells. */
export const noteItsPlace: Rule = (world) => {
    const host = knownHosts(world).find((candidate) => {
        const member = memberOf(world, candidate);
        const { initialCluster: told, unit, hasData, serving } = seenHost(world, candidate);
        if (!member || member.isLearner || !hasData || unit === "absent" || told === undefined) return false;
        const isThere = isAtItsPlace(candidate, member) || (serving && isListed(serving.peerUrl, member.peerUrls));
        if (!isThere) return false;
        return !member.peerUrls.some((url) => told.includes(`=${url}`) || told.includes(`=${withoutTls(url)}`));
    });
    if (!host) return undefined;
    return step(
        { kind: "record", hosts: [host.key], initialCluster: initialCluster(world) },
        `the list has it at ${memberOf(world, host)!.peerUrls.join(",")} now`,
    );
};

/**
 * Invariant: a member that its peers can't find is told of before anything is tried on it. It is sure to be nowhere else: nobody hears
 * from it, or it has changed its port alone.
 */
export const readdressSilent: Rule = (world) => {
    if (!world.seen.cluster) return undefined;
    for (const { host, member } of moved(world)) {
        const seen = seenHost(world, host);
        const { status, servesPeers, hasData, serving } = seen;
        if (member.isLearner || status || !hasData) continue;
        // It is this one that its peers hear, where the list says; that it answers no clients is another rule's.
        if (servesPeers && serving && isListed(serving.peerUrl, member.peerUrls)) continue;
        const isElsewhere = !member.peerUrls.some((url) => hostOfUrl(url) === host.address);
        // It may be the leader that can't be asked, as it opens its client port only when it is found.
        const mayLeadHere = isLeader(world, member) && isUp(seen);
        if (isElsewhere && !isLeaderAsked(world) && !mayLeadHere) {
            const until = `the leader says whether it hears member "${host.name}", which may live at another machine`;
            const remedy = isLeader(world, member)
                ? `it leads, and not from ${host.address}: power off the machine that it is on (${member.peerUrls.join(",")}), and run pulumi up`
                : muteLeaderRemedy(world);
            return {
                ...wait(until, world.wanted.timeouts.healthSeconds, [host.key], relieveMuteLeader(world)),
                remedy,
            };
        }
        if (servesPeers && isElsewhere) {
            const until = `member "${host.name}" answers at ${host.address}: its peers hear it, and may do so from another machine`;
            return wait(until, world.wanted.timeouts.healthSeconds, [host.key]);
        }
        return update(world, host, member);
    }
    return undefined;
};

/** Invariant: a learner is never updated, which some versions take for a promotion; it holds nothing of its own, and comes again. */
export const readmitLearner: Rule = (world) => {
    const learner = moved(world).find(({ member }) => member.isLearner);
    return (
        learner &&
        remove(world, learner.member, `it is a learner, and its host is now declared at ${learner.host.peerUrl}`)
    );
};

/**
 * Invariant: one member moves at a time, while all are well and nobody joins: the list first, then the restart that makes it true. In
 * between its peers have the connections that were there before; a learner that somebody adds meanwhile has none, and waits for it.
 */
export const readdress: Rule = (world) => {
    if (voters(world).some((voter) => !isHealthy(world, voter))) return undefined;
    const former = endFormerMove(world);
    if (former) return former;
    const halfWay = world.wanted.hosts.filter((host) => {
        const member = memberOf(world, host);
        const { serving } = seenHost(world, host);
        return member && isAtItsPlace(host, member) && serving !== undefined && serving.peerUrl !== host.peerUrl;
    });
    const between = moved(world).filter(({ host }) => isBetweenAddresses(world, host));
    const next =
        halfWay.find((host) => isBetweenAddresses(world, host)) ?? (between.length === 0 ? halfWay[0] : undefined);
    if (next) return restartInTurn(world, next);
    if (between.length === 0 && learners(world).length > 0) return undefined;
    const waiting = between.length > 0 ? between : moved(world);
    const free = waiting.filter(({ host }) => !members(world).some((member) => isAtItsPlace(host, member)));
    const first = free.find(({ member }) => !isLeader(world, member)) ?? free[0];
    if (first) return update(world, first.host, first.member);
    const [blocked] = waiting;
    return (
        blocked &&
        refuse(
            `member "${blocked.host.name}" can't have ${blocked.host.peerUrl} while another member has it; move one of them to an address of its own first`,
        )
    );
};

function update(
    world: World,
    host: WantedHost,
    member: Member,
    to = host.peerUrl,
    because = "its host has its data, and is declared there now",
): Verdict {
    const rival = members(world).find((other) => other.id !== member.id && isListed(to, other.peerUrls));
    if (rival)
        return refuse(
            `member "${host.name}" can't have ${to} while member ${rival.id} has it; move that one to an address of its own first`,
        );
    return updatePeer(host, member, because, to);
}

/** Has the list say where the host is declared, or that it is somewhere else. */
export function updatePeer(host: WantedHost, member: Member, because: string, to = host.peerUrl): Verdict {
    const from = member.peerUrls.join(",");
    return step({ kind: "update-peer", host: host.key, memberId: member.id, from, to }, because);
}

/** Members whose host is declared somewhere else than the list says. */
function moved(world: World): readonly { readonly host: WantedHost; readonly member: Member }[] {
    return world.wanted.hosts.flatMap((host) => {
        const member = memberOf(world, host);
        return member && !isAtItsPlace(host, member) ? [{ host, member }] : [];
    });
}
