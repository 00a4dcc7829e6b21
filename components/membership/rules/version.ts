/** Which version may follow which. */
import { whyNotFrom } from "../../host/version";
import type { Rule } from "../types";
import { knownHosts, memberOf, refuse, seenHost } from "../world";

/** Invariant: no member is started with a version that etcd does not upgrade to from what the others run. */
export const versionSkew: Rule = (world) => {
    const { wanted } = world;
    // A newcomer joins those that are declared no more, and has to be able to; not those that are members no more.
    const present = knownHosts(world).filter((host) => !world.seen.cluster || memberOf(world, host));
    const running = present.flatMap((host) => {
        const { status, unit, version } = seenHost(world, host);
        // One that was ready runs what it was started as, also when it can't be asked. One that never was may never have written anything.
        return status?.version ?? (unit === "active" ? (version ?? []) : []);
    });
    if (running.every((version) => version === wanted.version)) return undefined;
    const reason = whyNotFrom(running, wanted.version);
    return reason === undefined ? undefined : refuse(`version ${wanted.version} is declared, but ${reason}`);
};
