/** A host's data and files go out of use. Pure. */
import * as adoption from "../adoption/scripts";
import { takeoverNote } from "../adoption/foreign";
import type { HostPaths } from "../host/paths";
import { shellQuote } from "../quote";
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
    return `${clear}\n${scripts.removeFiles(paths)}`;
}

/**
 * The same, by what is there when it is done: data is ours from when a member of ours was told who it is, or is to run. Until then a
 * directory of that name is somebody else's, be it one whose take-over has not come that far, or was taken back by hand: it stays where it
 * is, and who runs on it runs.
 */
export function clearScript(paths: HostPaths, deleteData: boolean): string {
    const [note, identity] = [takeoverNote(paths), paths.identity].map(shellQuote) as [string, string];
    const unit = `${paths.unit}.service`;
    return `
theirs=$(sed -n 's/^unit=//p' ${note} 2>/dev/null || :)
ours=
if [ -e ${identity} ] || systemctl --quiet is-enabled ${unit} 2>/dev/null || systemctl --quiet is-active ${unit}; then ours=yes; fi
case $theirs in ?*)
    case $(systemctl is-active "$theirs" || :) in active | activating | reloading | deactivating)
        ours=
        echo "left running, with its data: $theirs, which was not taken over yet"
    esac
esac
${scripts.stop(paths)}
user=$(find /proc/[0-9]*/fd -lname "$(readlink -f ${shellQuote(paths.dataDir)})/member/*" -print -quit 2>/dev/null | cut -d / -f 3 || :)
case $user in ?*)
    ours=
    echo "left where it is: "${shellQuote(paths.dataDir)}", which process $user ($(cat "/proc/$user/comm")) works on"
esac
if [ -n "$ours" ]; then
    case $theirs in ?*) systemctl --quiet disable "$theirs" 2>/dev/null || : ;; esac${deleteData ? `\n${scripts.deleteData(paths)}` : scripts.setAside(paths)}
fi
${scripts.removeFiles(paths)}`;
}
