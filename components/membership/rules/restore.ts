/** A cluster that begins anew, from a snapshot. */
import type { HostSeen, Rule, Verdict, WantedHost, World } from "../types";
import { isBeingBorn, knownHosts, refuse, restoration, seenHost, step } from "../world";

/** Invariant: a cluster is given up by its id only, and not before what it is to begin anew from lies ready: restored, and so checked. */
export const replace: Rule = (world) => {
    const { restore, hosts } = world.wanted;
    if (restore?.replaces === undefined) return undefined;
    const [founder] = hosts;
    const former = knownHosts(world).find((host) => clusterOf(seenHost(world, host)) === restore.replaces);
    if (!founder || !former) return undefined;
    const third = thirdCluster(world, founder);
    if (third) return third;
    if (!isFounded(world)) {
        const unseen = knownHosts(world).find((host) => !seenHost(world, host).reach.ok);
        if (unseen && !restore.isKnown) {
            return refuse(
                `host "${unseen.name}" (${unseen.address}) can't be reached, and may hold another cluster than ${restore.replaces}, which an earlier run began; nothing was changed: make it reachable`,
            );
        }
        const verdict = restoreSnapshot(world, founder);
        if (verdict) return verdict;
    }
    return step(
        { kind: "set-aside", host: former.key },
        `it holds a member of cluster ${restore.replaces}, which restore replaces; nobody is served before the new one is founded`,
    );
};

/** The snapshot of the declaration, laid down where it is to found; undefined if it is, or if there is none. */
export function restoreSnapshot(world: World, founder: WantedHost): Verdict | undefined {
    const { restore } = world.wanted;
    if (!restore || seenHost(world, founder).restored === restoration(world.wanted, founder)) return undefined;
    return step(
        { kind: "restore-snapshot", host: founder.key, snapshot: restore.snapshot },
        "the cluster begins anew from it, and loses what was written since; before it is there, nothing is stopped",
    );
}

function clusterOf({ status, identity }: HostSeen): string | undefined {
    return status?.clusterId ?? identity?.clusterId;
}

/** A cluster that is neither given up nor what this restore has founded would be taken for the latter. */
function thirdCluster(world: World, founder: WantedHost): Verdict | undefined {
    const { restore, knownClusterId } = world.wanted;
    const founding = seenHost(world, founder);
    if (!restore || !founding.reach.ok || isBeingBorn(founding)) return undefined;
    const others = knownHosts(world).flatMap((host) => {
        const id = clusterOf(seenHost(world, host));
        return id === undefined || id === restore.replaces ? [] : [{ host, id }];
    });
    const isKnown = knownClusterId !== undefined && knownClusterId !== restore.replaces;
    if (isKnown && !others.some(({ id }) => id === knownClusterId)) {
        return refuse(
            `the state knows cluster ${knownClusterId}, which no host holds, and ${restore.replaces} is to be replaced; nothing was changed: bring the data of ${knownClusterId} back, or have a new stack take ${restore.replaces} over (adopt: true) and restore there`,
        );
    }
    const successor = isKnown ? knownClusterId : clusterOf(founding);
    const third = others.find(({ id }) => id !== successor);
    return (
        third &&
        refuse(
            `host "${third.host.name}" holds a member of cluster ${third.id}, which is neither ${restore.replaces}, that is to be replaced, nor one that "${founder.name}" holds; nothing was changed: take that host off the list until the restore is done, or put the host that the restore began on first again`,
        )
    );
}

/** The cluster that was restored is there, or about to be. */
function isFounded(world: World): boolean {
    return knownHosts(world).some((host) => {
        const seen = seenHost(world, host);
        const found = clusterOf(seen);
        return isBeingBorn(seen) || (found !== undefined && found !== world.wanted.restore?.replaces);
    });
}
