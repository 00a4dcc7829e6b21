/** What changes under a running member: its generation, and the files that say who its peers are. */
import { EDITED } from "../../host/generation";
import type { Rule, Verdict, World, WantedHost } from "../types";
import {
    LATER,
    initialCluster,
    isLeader,
    isStale,
    isUp,
    memberOf,
    peerAddresses,
    peerHosts,
    refuse,
    seenHost,
    step,
} from "../world";
import { handOverToRestart } from "./handOver";
import { takesSnapshot } from "./version";

/**
 * Invariant: a member that runs what it shall is started with that again, whatever stops it. An edit that was taken back may have been
 * linked to and never started, and a hand may have changed the link. One that is ill is another rule's.
 */
export const linkBack: Rule = (world) => {
    const astray = world.wanted.hosts.filter((host) => {
        const seen = seenHost(world, host);
        const isWell = isUp(seen) && !seen.foreign && seen.status?.isHealthy === true;
        return isWell && memberOf(world, host) && isStale(world, host) && seen.running === host.generation;
    });
    if (astray.length === 0) return undefined;
    return step(
        { kind: "activate", hosts: astray.map((host) => host.key) },
        "what runs is what is staged, and another generation would be started next",
    );
};

/** Invariant: one member restarts at a time, after everyone is healthy; followers first, the leader last and moved first. */
export const rollingRestart: Rule = (world) => {
    const stale = world.wanted.hosts.filter((host) => {
        const { running, current, serving } = seenHost(world, host);
        if (!memberOf(world, host)) return false;
        // A preview may not know the generation of a host that it knows under another name.
        if (host.generation === undefined) return serving !== undefined && serving.name !== host.name;
        return running !== host.generation || current !== host.generation;
    });
    const leads = (host: WantedHost): boolean => isLeader(world, memberOf(world, host)!);
    const next = stale.find((host) => !leads(host)) ?? stale[0];
    return next && restartInTurn(world, next);
};

/** Restarts a member with what is staged for it, after it has handed over the lead. */
export function restartInTurn(world: World, next: WantedHost): Verdict {
    const verdict =
        handOverToRestart(world, next, memberOf(world, next)!) ?? restart(world, next, staleness(world, next));
    if (verdict.verdict !== "step" || verdict.step.kind !== "restart" || !takesSnapshot(world, next)) return verdict;
    return { ...verdict, step: { ...verdict.step, takesSnapshot: true } };
}

function staleness(world: World, host: WantedHost): string {
    const { running } = seenHost(world, host);
    if (!running) return "which generation it runs is not known";
    if (running.startsWith(EDITED)) return "it was started from files that were changed by hand since";
    return `it runs generation ${short(running)}, and ${short(host.generation ?? LATER)} is staged`;
}

/** Invariant: a member is never restarted away from its data, where it would come back empty under the same identity. */
export function restart(world: World, host: WantedHost, because: string): Verdict {
    const { dataDir } = world.wanted;
    if (seenHost(world, host).foreign) return takeOver(world, host);
    if (!seenHost(world, host).hasData) {
        return refuse(
            `member "${host.name}" is not restarted: it runs, but there is no data in ${dataDir}; if dataDir was changed, set it back, and if the directory was deleted, stop etcd on ${host.address}: the next run replaces the member`,
        );
    }
    return step({ kind: "restart", host: host.key, generation: host.generation ?? LATER }, because);
}

/** Invariant: never two etcds on one data directory; what was set up by hand is stopped for good before ours starts on its data. */
export function takeOver(world: World, host: WantedHost): Verdict {
    const { unit = "", isRunning = false, isPlain = false } = seenHost(world, host).foreign ?? {};
    const phase = isPlain ? ", without TLS: its client port goes on serving http for as long as adopt is set" : "";
    return step(
        { kind: "take-over", host: host.key, unit, initialCluster: initialCluster(world) },
        isRunning ? `${unit} runs it${phase}` : `an earlier run was interrupted after it had stopped ${unit}`,
    );
}

/** Invariant: an address is shut out only after its member was removed. */
export const shutOut: Rule = (world) => {
    if (!world.wanted.firewall) return undefined;
    const addresses = peerAddresses(world);
    const open = peerHosts(world).filter((host) =>
        seenHost(world, host).peersLetIn.some((address) => !addresses.includes(address)),
    );
    if (open.length === 0) return undefined;
    return step(
        { kind: "let-in", hosts: open.map((host) => host.key), addresses },
        "nobody but members has business at the peer port",
    );
};

/** Invariant: every member's file tells the whole list and says "existing", for the day it starts without us. */
export const record: Rule = (world) => {
    const list = initialCluster(world);
    const outdated = world.wanted.hosts.filter((host) => memberOf(world, host) && isOutdated(world, host, list));
    if (outdated.length === 0) return undefined;
    return step(
        { kind: "record", hosts: outdated.map((host) => host.key), initialCluster: list },
        "the member list has changed",
    );
};

function isOutdated(world: World, host: WantedHost, list: string): boolean {
    const { initialCluster: told, initialClusterState, identity, isEnabled } = seenHost(world, host);
    const member = memberOf(world, host);
    return (
        told !== list ||
        initialClusterState !== "existing" ||
        !isEnabled ||
        identity?.memberId !== member?.id ||
        identity?.clusterId !== world.seen.cluster?.clusterId
    );
}

function short(digest: string): string {
    return digest.slice(0, 8);
}
