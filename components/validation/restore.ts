import type { EtcdClusterArgs } from "../args";
import { hostPaths } from "../host/paths";
import { isPlainPath, isWithin } from "./places";
import { checkKeys, problem, type Problems } from "./problems";

export function checkRestore(name: string, { restore, adopt, dataDir }: EtcdClusterArgs): Problems {
    if (restore === undefined) return [];
    const at = "restore";
    const { snapshot, replaces } = restore;
    const { restored } = hostPaths(name, dataDir);
    const isCleared = typeof snapshot === "string" && isWithin(snapshot, restored);
    const isId = replaces === undefined || (typeof replaces === "string" && /^[1-9a-f][0-9a-f]{0,15}$/.test(replaces));
    return [
        ...checkKeys(at, restore, ["snapshot", "replaces"]),
        ...(isPlainPath(snapshot)
            ? []
            : problem(
                  `${at}.snapshot`,
                  snapshot,
                  "the absolute path of a snapshot on the first host, of letters, digits and ._@:+=,-",
              )),
        ...(isCleared
            ? problem(`${at}.snapshot`, snapshot, `not within ${restored}`, "what lies there goes first")
            : []),
        ...(isId
            ? []
            : problem(
                  `${at}.replaces`,
                  replaces,
                  "the id of a cluster as clusterId has it: hexadecimal, in small letters",
              )),
        ...(adopt ? problem(at, restore, "nothing, or no adopt", "take the cluster over first, or begin anew") : []),
    ];
}
