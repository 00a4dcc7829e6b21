/** While no member with a quorum answers. */
import { hostOfUrl } from "../../address";
import { quoted } from "../../quote";
import type { HostSeen, Rule, Verdict, WantedHost, World } from "../types";
import {
    isBeingBorn,
    isBetweenAddresses,
    isListed,
    isSilent,
    isStale,
    isUp,
    knownHosts,
    refuse,
    seenHost,
    step,
    wait,
} from "../world";
import { restart, takeOver } from "./restart";
import { restoreSnapshot } from "./restore";

/** Invariant: `new` is said once in a cluster's life, on one host, and never over something that existed. */
export const bootstrap: Rule = (world) => {
    const { wanted, seen } = world;
    if (seen.cluster) return undefined;
    const born = beingBorn(world, wanted.hosts);
    if (existedBefore(world, born)) return undefined;
    const rival = knownHosts(world).find((host) => host !== born && isBeingBorn(seenHost(world, host)));
    if (rival)
        return step({ kind: "set-aside", host: rival.key }, "it was to found the cluster, and another host will");
    const host = born ?? wanted.hosts[0];
    if (!host) return undefined;
    if (born && isUp(seenHost(world, host)) && !isToldOtherwise(seenHost(world, host), host))
        return renew(world, host) ?? wait(`member "${host.name}" answers`, wanted.timeouts.healthSeconds, [host.key]);
    const { restore } = wanted;
    const { hasData } = seenHost(world, host);
    const because = restore
        ? "no host has data, and the cluster begins anew from a snapshot"
        : "no host has data, and no earlier run built this cluster";
    const founding = step(
        { kind: "bootstrap", host: host.key, ...(restore && !hasData && { snapshot: restore.snapshot }) },
        born ? "an earlier run was interrupted while it did this" : because,
    );
    return hasData ? founding : (restoreSnapshot(world, host) ?? founding);
};

/** It was to found the cluster under another name or at another address, and never does: etcd must find itself in what it is told. */
function isToldOtherwise({ hasData, initialCluster }: HostSeen, { name, peerUrl }: WantedHost): boolean {
    return !hasData && initialCluster !== `${name}=${peerUrl}`;
}

/**
 * Invariant: a stopped member with its own data is started as it is; its files decide nothing new. One whose host is declared no more
 * still votes until it is removed, and its removal needs the quorum.
 */
export const restartStopped: Rule = (world) => {
    if (world.seen.cluster) return undefined;
    // What was set up by hand is told who its peers are when ours first starts it, and only a cluster that answers says that. Ours needs
    // no word of it.
    const isStopped = (seen: HostSeen): boolean =>
        !isUp(seen) && (!seen.foreign || seen.initialClusterState !== undefined);
    const { hosts, retired, clusterToken } = world.wanted;
    const declared = withData(world, hosts).find((host) => isStopped(seenHost(world, host)));
    if (declared) return start(world, declared, "it is stopped, and the cluster does not answer");
    const former = withData(world, retired).find((host) => {
        const seen = seenHost(world, host);
        const canStart = seen.unit !== "absent" || (seen.staged !== undefined && seen.staged === host.generation);
        return isStopped(seen) && canStart && seen.identity?.clusterToken === clusterToken;
    });
    if (!former) return undefined;
    return start(world, former, "it is declared no more, but the cluster does not answer and may need it to let it go");
};

/**
 * Invariant: without a quorum, what is staged is tried on one member that does not answer. It can't be seen to be well before there is a
 * quorum, so that the next one gets its turn when the wait for one has ended.
 */
export const renewSilent: Rule = (world) => {
    if (world.seen.cluster) return undefined;
    const [first, ...others] = silentHosts(world).map((host) => renewInPlace(world, host));
    return others.includes(undefined) ? undefined : first;
};

/** Invariant: a lost quorum is waited for, reported, and never "repaired" by a run that nobody asked to. */
export const lostQuorum: Rule = (world) => {
    const { wanted, seen } = world;
    if (seen.cluster) return undefined;
    const former = withData(world, wanted.retired).filter((host) => isUp(seenHost(world, host)));
    const hosts = [...withData(world, wanted.hosts), ...former];
    if (hosts.length === 0) return refuse(nothingLeft(world));
    const silent = silentHosts(world);
    const lonely = lonelyHosts(world);
    const [next] = [
        ...silent.flatMap((host) => renewInPlace(world, host) ?? []),
        ...lonely.filter((host) => mayMove(world, host)).map((host) => moveLonely(world, host)),
    ];
    // Who answers has the address still where it was.
    const waiting = [...lonely, ...silent.filter((host) => isStale(world, host))].find((host) => !mayMove(world, host));
    const verdict = wait(
        `a quorum answers (data on ${quoted(hosts.map((host) => host.name))})`,
        wanted.timeouts.healthSeconds,
        hosts.map((host) => host.key),
        next?.verdict === "step" ? next.step : undefined,
    );
    return { ...verdict, remedy: waiting ? moveLater(world, waiting) : (moveBack(world) ?? bringBack(world, hosts)) };
};

function bringBack(world: World, hosts: readonly WantedHost[]): string {
    const ids = hosts.flatMap((host) => seenHost(world, host).identity?.clusterId ?? []);
    const clusterId = world.wanted.knownClusterId ?? ids[0] ?? "its id";
    return `bring back so many members, with their data, that more than half of them run, and run pulumi up; only if their data is lost for good, ${beginAnew(world, clusterId)}`;
}

/** The way out that costs what was written since the snapshot, and that no run takes by itself. */
function beginAnew({ wanted }: World, clusterId: string): string {
    return `begin anew from a snapshot: restore: { snapshot: "its path on ${wanted.hosts[0]?.name}", replaces: "${clusterId}" }`;
}

function moveLater(world: World, host: WantedHost): string {
    const { name, peerUrl } = host;
    const others = withData(world, world.wanted.hosts).filter((one) => one !== host && isElsewhere(world, one));
    return `member "${name}" does not move to ${peerUrl} before that, since all others have moved, and no two that the list has elsewhere find each other: ${declareBack(world, [host, ...others])}`;
}

/** Of members that are elsewhere than the list has them, none finds another. Those that are declared where it has them are on their way. */
function moveBack(world: World): string | undefined {
    const lost = withData(world, world.wanted.hosts).filter(
        (host) => isElsewhere(world, host) && !seenHost(world, host).status?.isHealthy,
    );
    if (lost.length < 2 || lost.some((host) => !isAway(world, host))) return undefined;
    return `${quoted(lost.map(({ name }) => name))} are not where the list has them, and don't find each other: ${declareBack(world, lost)}`;
}

/** One of these is enough; a host may have the address no more. */
function declareBack(world: World, hosts: readonly WantedHost[]): string {
    const places = hosts.flatMap((host) => {
        const url = notedUrl(world, host);
        return url === undefined ? [] : [`"${host.name}" at ${url}`];
    });
    const which = places.length > 1 ? "one of these" : "this one";
    return `declare ${which} where it was (${places.join(", or ")}), and run pulumi up`;
}

/** `renew`, as long as somebody stays whom the members that move can find. */
function renewInPlace(world: World, host: WantedHost): Verdict | undefined {
    return mayMove(world, host) ? renew(world, host) : undefined;
}

/** The list can't be changed meanwhile: somebody has to stay where it says. */
function mayMove(world: World, host: WantedHost): boolean {
    if (!isAway(world, host) || placeOf(world, host) === host.peerUrl) return true;
    const others = withData(world, knownHosts(world)).filter((other) => other !== host);
    return others.length === 0 || others.some((other) => isWhereItWas(world, other));
}

/** It serves where the list said when it was last written down, or would do so if it was started; for those who start anew as well. */
function isWhereItWas(world: World, host: WantedHost): boolean {
    const place = placeOf(world, host);
    if (place === undefined || !notedUrls(world, host)) return !isAway(world, host) || isStale(world, host);
    const { stagedPeerUrl } = seenHost(world, host);
    const certified = world.wanted.hosts.includes(host) ? host.peerUrl : (stagedPeerUrl ?? host.peerUrl);
    return !isElsewhere(world, host) && hostOfUrl(place) === hostOfUrl(certified);
}

/** It serves elsewhere than the list said when it was last written down, or would do so if it was started. */
function isElsewhere(world: World, host: WantedHost): boolean {
    const place = placeOf(world, host);
    const urls = notedUrls(world, host);
    return place !== undefined && urls !== undefined && !isListed(place, urls);
}

/** Where it serves its peers, or would do so if it was started. */
function placeOf(world: World, host: WantedHost): string | undefined {
    const { serving, currentPeerUrl } = seenHost(world, host);
    return serving?.peerUrl ?? currentPeerUrl;
}

/** It is declared somewhere else than the list said when it was last written down. */
function isAway(world: World, host: WantedHost): boolean {
    const urls = notedUrls(world, host);
    return urls !== undefined && !isListed(host.peerUrl, urls);
}

function notedUrls(world: World, host: WantedHost): readonly string[] | undefined {
    const { initialCluster } = seenHost(world, host);
    return initialCluster?.split(",").map((entry) => entry.slice(entry.indexOf("=") + 1));
}

function notedUrl(world: World, host: WantedHost): string | undefined {
    const { initialCluster, serving } = seenHost(world, host);
    const entries = initialCluster?.split(",").map((entry) => entry.split("=")) ?? [];
    return entries.find(([name]) => name === host.name || name === serving?.name)?.[1];
}

/** Starts a member as it is; one without its unit is given the staged generation first. */
export function start(world: World, host: WantedHost, because: string): Verdict {
    const { unit, current, foreign } = seenHost(world, host);
    if (foreign) return takeOver(world, host);
    if (unit === "absent" || current === undefined)
        return step({ kind: "activate", hosts: [host.key] }, "its unit is gone");
    return step({ kind: "start", host: host.key }, because);
}

/** What gives a silent member the staged generation, without waiting for its word; undefined when it was given it. */
export function renew(world: World, host: WantedHost): Verdict | undefined {
    if (isStale(world, host))
        return step({ kind: "activate", hosts: [host.key] }, "it does not answer, and another generation is staged");
    const { running, current } = seenHost(world, host);
    // One that systemd starts again and again notes what it runs each time, and takes what is current by itself.
    if (running === undefined || running === current) return undefined;
    return step({ kind: "start", host: host.key }, "it does not answer, and has another generation now");
}

function nothingLeft(world: World): string {
    const { wanted } = world;
    const former = withData(world, wanted.retired);
    if (former.length > 0) {
        const names = quoted(former.map((host) => host.name));
        return `the cluster does not answer, and its data is on hosts that are declared no more: ${names}; nothing was changed: declare them again and repair them first`;
    }
    if (wanted.knownClusterId !== undefined) {
        return `cluster ${wanted.knownClusterId} was built by an earlier run, but no declared host has its data in ${wanted.dataDir}; nothing was changed: ${beginAnew(world, wanted.knownClusterId)}; or run pulumi destroy`;
    }
    if (wanted.isTakingOver) {
        return "no cluster is founded: one is to be taken over, and no declared host runs its etcd: start it as it was set up, and run pulumi up";
    }
    const unseen = quoted(wanted.retired.filter((host) => !seenHost(world, host).reach.ok).map((host) => host.name));
    return `no cluster is founded: ${unseen || "a declared host"} may hold one that an earlier run began; make it reachable, or run pulumi destroy to begin anew`;
}

function withData(world: World, hosts: readonly WantedHost[]): readonly WantedHost[] {
    return hosts.filter((host) => seenHost(world, host).hasData && !seenHost(world, host).hasLeft);
}

function silentHosts(world: World): readonly WantedHost[] {
    return withData(world, world.wanted.hosts).filter((host) => isSilent(seenHost(world, host)));
}

/** They answer, nobody leads them, and they are between two addresses, or are to be where the list has them. */
function lonelyHosts(world: World): readonly WantedHost[] {
    return withData(world, world.wanted.hosts).filter((host) => {
        const { status } = seenHost(world, host);
        const isToMove = isBetweenAddresses(world, host) || (isElsewhere(world, host) && !isAway(world, host));
        return status && !status.isHealthy && isToMove;
    });
}

function moveLonely(world: World, host: WantedHost): Verdict {
    return restart(
        world,
        host,
        "it is between two addresses, and makes no new connection before it is at the second one",
    );
}

/** The host where an earlier run began: one that got as far as data before one that did not. */
function beingBorn(world: World, hosts: readonly WantedHost[]): WantedHost | undefined {
    const begun = hosts.filter((host) => isBeingBorn(seenHost(world, host)));
    return begun.find((host) => seenHost(world, host).hasData) ?? begun[0];
}

/** State, `adopt` or any host says so, or a host can't be asked. */
function existedBefore(world: World, born: WantedHost | undefined): boolean {
    if (world.wanted.knownClusterId || (world.wanted.isTakingOver && !born)) return true;
    return knownHosts(world).some((host) => {
        const { hasData, identity, reach } = seenHost(world, host);
        // What can't be reached of a cluster that is given up is given up as well.
        const mayHoldIt = !reach.ok && !world.wanted.restore?.isKnown;
        return host !== born && (hasData || identity?.clusterId !== undefined || mayHoldIt);
    });
}
