/** While no member with a quorum answers. */
import type { HostSeen, Rule, Verdict, WantedHost, World } from "../types";
import {
    isBeingBorn,
    isListed,
    isSilent,
    isStale,
    isUp,
    knownHosts,
    quoted,
    refuse,
    seenHost,
    step,
    wait,
} from "../world";
import { takeOver } from "./restart";

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
    return step(
        { kind: "bootstrap", host: host.key },
        born
            ? "an earlier run was interrupted while it did this"
            : "no host has data, and no earlier run built this cluster",
    );
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
    // A unit does not start without the file that says who its peers are, and only a cluster that answers tells that.
    const isStopped = (seen: HostSeen): boolean => !isUp(seen) && seen.initialClusterState !== undefined;
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
    const [next] = silent.flatMap((host) => renewInPlace(world, host) ?? []);
    const waiting = silent.find((host) => isStale(world, host) && !mayMove(world, host));
    const verdict = wait(
        `a quorum answers (data on ${quoted(hosts.map((host) => host.name))})`,
        wanted.timeouts.healthSeconds,
        hosts.map((host) => host.key),
        next?.verdict === "step" ? next.step : undefined,
    );
    return { ...verdict, remedy: waiting === undefined ? RECOVERY : moveLater(waiting) };
};

const RECOVERY =
    "bring back so many members, with their data, that more than half of them run, and run pulumi up; if their data is lost for good, only a backup that is restored helps, and no run does that by itself";

function moveLater({ name, peerUrl }: WantedHost): string {
    return `member "${name}" does not move to ${peerUrl} before that, since all others have moved, and no two that the list has elsewhere find each other: declare "${name}" where it was, and run pulumi up`;
}

/** `renew`, as long as somebody stays whom the members that move can find. */
function renewInPlace(world: World, host: WantedHost): Verdict | undefined {
    return mayMove(world, host) ? renew(world, host) : undefined;
}

/** The list can't be changed meanwhile: somebody has to stay where it says. */
function mayMove(world: World, host: WantedHost): boolean {
    const others = withData(world, knownHosts(world)).filter((other) => other !== host);
    const isSomebodyThere = others.some((other) => !isAway(world, other) || isStale(world, other));
    return !isAway(world, host) || others.length === 0 || isSomebodyThere;
}

/** It is declared somewhere else than the list said when it was last written down. */
function isAway(world: World, host: WantedHost): boolean {
    const { initialCluster } = seenHost(world, host);
    const urls = initialCluster?.split(",").map((entry) => entry.slice(entry.indexOf("=") + 1));
    return urls !== undefined && !isListed(host.peerUrl, urls);
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
        return `cluster ${wanted.knownClusterId} was built by an earlier run, but no declared host has its data in ${wanted.dataDir}; nothing was changed: restore a backup, or run pulumi destroy to begin anew`;
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
        return host !== born && (hasData || identity?.clusterId !== undefined || !reach.ok);
    });
}
