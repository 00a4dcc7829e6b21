import type { EtcdClusterArgs } from "../args";
import { hostPaths, type HostPaths } from "../host/paths";
import { isPlainPath, isWithin, outside } from "./places";
import { checkKeys, checkWhole, problem, type Problems } from "./problems";

export function checkBackup(name: string, { backup, dataDir }: EtcdClusterArgs): Problems {
    if (backup === undefined) return [];
    const at = "backup";
    return [
        ...checkKeys(at, backup, ["schedule", "directory", "keep"]),
        ...checkSchedule(`${at}.schedule`, backup.schedule),
        ...checkDirectory(`${at}.directory`, backup.directory, hostPaths(name, dataDir)),
        ...checkWhole(`${at}.keep`, backup.keep, 1),
    ];
}

/** The characters of systemd.time(7), time zones included; what they mean is for the hosts' systemd to say. */
function checkSchedule(property: string, schedule: unknown): Problems {
    const isPlain = typeof schedule === "string" && /^[A-Za-z0-9*][A-Za-z0-9 *:/,.~+_-]{0,199}$/.test(schedule);
    if (schedule === undefined || isPlain) return [];
    return problem(property, schedule, 'a calendar expression of systemd\'s, such as "daily" or "*-*-* 02:30"');
}

function checkDirectory(property: string, directory: unknown, { dataDir, restored }: HostPaths): Problems {
    if (directory === undefined) return [];
    const isPath = isPlainPath(directory) && !/\/\.\.?(\/|$)/.test(directory);
    if (!isPath)
        return problem(property, directory, "an absolute path of letters, digits and ._@:+=,-, without . and .. in it");
    if (isWithin(directory, restored))
        return problem(property, directory, `not within ${restored}`, "it goes with each restore");
    if (isWithin(directory, dataDir) || isWithin(dataDir, directory))
        return problem(
            property,
            directory,
            `neither within dataDir (${dataDir}) nor around it`,
            "data is moved aside as a whole",
        );
    return outside(property, directory, "/srv and another file system than the data's are good places");
}
