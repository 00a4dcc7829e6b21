/** Which version may follow which, and what comes before. */
import { isAtLeast, minorOf, whyNotFrom } from "../../host/version";
import type { Rule, WantedHost, World } from "../types";
import { knownHosts, memberOf, refuse, seenHost } from "../world";

/** Invariant: no member is started with a version that etcd does not upgrade to from what the others run. */
export const versionSkew: Rule = (world) => {
    const { wanted } = world;
    // A newcomer joins those that are declared no more, and has to be able to; not those that are members no more.
    const present = knownHosts(world).filter((host) => !world.seen.cluster || memberOf(world, host));
    const running = present.flatMap((host) => versionOf(world, host) ?? []);
    if (running.every((version) => version === wanted.version)) return undefined;
    const reason = whyNotFrom(running, wanted.version) ?? whyNotWithUsers(world);
    return reason === undefined ? undefined : refuse(`version ${wanted.version} is declared, but ${reason}`);
};

/** A change of users or roles is written to the log in one way by 3.4 and in another by 3.5 (etcd.io, "Upgrade etcd from 3.4 to 3.5"). */
function whyNotWithUsers(world: World): string | undefined {
    const guarded = knownHosts(world).find((host) => seenHost(world, host).status?.hasUsers);
    if (!guarded) return undefined;
    return `"${guarded.name}" runs etcd ${versionOf(world, guarded)} with its users and roles on, which members of both series can't have: turn them off until all run 3.5 (etcdctl auth disable)`;
}

/**
 * Invariant: there is a way back from each step. Until the last member leaves a series that is to declare it again, and from then on only a
 * snapshot: a member of that series keeps one before the first leaves it, and one before the last does.
 */
export function takesSnapshot(world: World, leaving: WantedHost): boolean {
    const series = `${minorOf(world.wanted.version)}.0`;
    const isOlder = (host: WantedHost): boolean => !isAtLeast(versionOf(world, host) ?? series, series);
    const others = knownHosts(world).filter((host) => host !== leaving && memberOf(world, host));
    return isOlder(leaving) && (others.every(isOlder) || !others.some(isOlder));
}

/** One that was ready runs what it was started as, also when it can't be asked. One that never was may never have written anything. */
function versionOf(world: World, host: WantedHost): string | undefined {
    const { status, unit, version } = seenHost(world, host);
    return status?.version ?? (unit === "active" ? version : undefined);
}
