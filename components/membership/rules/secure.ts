/** How members that called each other without TLS come to do it with TLS. Their certificates are there before. */
import type { Member, Rule, Verdict, WantedHost, World } from "../types";
import {
    isAlive,
    isHealthy,
    isLeader,
    isListedPlain,
    isUp,
    learners,
    memberOf,
    seenHost,
    step,
    voters,
} from "../world";
import { handOverToRestart } from "./handOver";
import { updatePeer } from "./readdress";

/**
 * Invariant: a member is called with TLS only by members that have certificates to do so: all run what was staged for them, and one
 * changes at a time, the list first. Until it is restarted its peers have the connections that were there before.
 */
export const securePeers: Rule = (world) => {
    const all = plain(world);
    if (all.length === 0 || !isCalm(world)) return undefined;
    if (!world.wanted.hosts.every((host) => isPrepared(world, host))) return undefined;
    const next = all.find(({ member }) => !isLeader(world, member)) ?? all[0]!;
    return (
        handOverToRestart(world, next.host, next.member) ??
        updatePeer(
            next.host,
            next.member,
            "all members have certificates now, and call each other with TLS from here on",
        )
    );
};

/**
 * Invariant: a change that was begun is ended before another member moves or joins: two that can't be called where the list says don't find
 * each other, and etcd takes nobody meanwhile.
 */
export const endSecuring: Rule = (world) => {
    const halfWay = plain(world).find(({ member }) => !isCalledPlain(member));
    if (!halfWay || !isCalm(world)) return undefined;
    return handOverToRestart(world, halfWay.host, halfWay.member) ?? restart(halfWay);
};

/**
 * Invariant: a member that its peers can't call, since they do it with TLS and it has none, is restarted with it before all else. No restart
 * helps one whose log is damaged.
 */
export const secureSilent: Rule = (world) => {
    const silent = plain(world).find(({ host, member }) => {
        const seen = seenHost(world, host);
        return (
            isUp(seen) &&
            !seen.isDamaged &&
            !isCalledPlain(member) &&
            !isHealthy(world, member) &&
            !isAlive(world, member)
        );
    });
    return silent && restart(silent);
};

function isCalm(world: World): boolean {
    return learners(world).length === 0 && voters(world).every((voter) => isHealthy(world, voter));
}

/** Wherever its host is declared by now. */
function isCalledPlain({ peerUrls }: Member): boolean {
    return peerUrls.some((url) => url.startsWith("http:"));
}

interface Plain {
    readonly host: WantedHost;
    readonly member: Member;
}

/** Members that are listed without TLS, or that have none on their peer port. */
function plain(world: World): readonly Plain[] {
    return world.wanted.hosts.flatMap((host) => {
        const member = memberOf(world, host);
        const { foreign, hasPlainPeers = false } = seenHost(world, host);
        return member && !foreign && (hasPlainPeers || isListedPlain(host, member)) ? [{ host, member }] : [];
    });
}

function isPrepared(world: World, host: WantedHost): boolean {
    const { foreign, running, current } = seenHost(world, host);
    return !foreign && host.generation !== undefined && running === host.generation && current === host.generation;
}

function restart({ host }: Plain): Verdict {
    return step({ kind: "secure-peers", host: host.key }, "its peers call it with TLS now");
}
