/** A host's data and files go out of use. Pure. */
import * as adoption from "../adoption/scripts";
import type { HostPaths } from "../host/paths";
import * as scripts from "./scripts";
import type { HostSeen } from "./types";

/** Its take-over is over as well: a unit of somebody else's would start without its data one day. */
export function setAsideScript(paths: HostPaths, { foreign }: HostSeen): string {
    return [
        "set -eu",
        ...(foreign ? [adoption.stopForGood(foreign.unit)] : []),
        scripts.stop(paths),
        scripts.setAside(paths),
        ...(foreign ? [adoption.forget(paths)] : []),
    ].join("\n");
}

/** What no note of ours is about is left where it is, and running. */
export function retireScript(paths: HostPaths, seen: HostSeen): string {
    const clear = seen.identity ? setAsideScript(paths, seen) : `set -eu\n${scripts.stop(paths)}`;
    return `${clear}\n${scripts.removeFiles(paths, false)}`;
}
