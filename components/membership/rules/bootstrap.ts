/** While no member with a quorum answers. */
import type { Rule, WantedHost, World } from "../types";
import { isUp, quoted, refuse, seenHost, step, wait } from "../world";

/** Invariant: `new` is said once in a cluster's life, on one host, and never over something that existed. */
export const bootstrap: Rule = (world) => {
    const { wanted, seen } = world;
    if (seen.cluster) return undefined;
    const born = wanted.hosts.find((host) => isBeingBorn(world, host));
    if (existedBefore(world, born)) return undefined;
    const host = born ?? wanted.hosts[0];
    if (!host) return undefined;
    if (born && isUp(seenHost(world, host)) && !isStale(world, host))
        return wait(`member "${host.name}" answers`, wanted.timeouts.healthSeconds, [host.key]);
    return step(
        { kind: "bootstrap", host: host.key },
        born
            ? "an earlier run was interrupted while it did this"
            : "no host has data, and no earlier run built this cluster",
    );
};

/** Invariant: a stopped member with its own data is started as it is; its files decide nothing new. */
export const restartStopped: Rule = (world) => {
    const { wanted, seen } = world;
    if (seen.cluster) return undefined;
    const stopped = wanted.hosts.find((host) => hasOwnData(world, host) && !isUp(seenHost(world, host)));
    if (!stopped) return undefined;
    return step({ kind: "start", host: stopped.key }, "it is stopped, and the cluster does not answer");
};

/** Invariant: a lost quorum is waited for, reported, and never "repaired" by a run that nobody asked to. */
export const lostQuorum: Rule = (world) => {
    const { wanted, seen } = world;
    if (seen.cluster) return undefined;
    const withData = wanted.hosts.filter((host) => hasOwnData(world, host));
    if (withData.length === 0) {
        return refuse(
            `cluster ${wanted.knownClusterId ?? `"${wanted.cluster}"`} was built by an earlier run, but no declared host has its data in ${wanted.dataDir}; nothing was changed: restore a backup, or run pulumi destroy to begin anew`,
        );
    }
    const names = withData.map((host) => host.name);
    return wait(
        `a quorum answers (data on ${quoted(names)})`,
        wanted.timeouts.healthSeconds,
        withData.map((host) => host.key),
    );
};

function isStale(world: World, host: WantedHost): boolean {
    return host.generation !== undefined && seenHost(world, host).current !== host.generation;
}

function hasOwnData(world: World, host: WantedHost): boolean {
    return seenHost(world, host).hasData;
}

/** Membership wrote "new" there and has not yet seen the cluster answer. */
function isBeingBorn(world: World, host: WantedHost): boolean {
    const { identity, initialClusterState } = seenHost(world, host);
    return identity !== undefined && identity.clusterId === undefined && initialClusterState === "new";
}

function existedBefore(world: World, born: WantedHost | undefined): boolean {
    if (world.wanted.knownClusterId) return true;
    return world.wanted.hosts.some((host) => {
        const { hasData, identity } = seenHost(world, host);
        return host !== born && (hasData || identity?.clusterId !== undefined);
    });
}
