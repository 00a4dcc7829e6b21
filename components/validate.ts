import { parseNetwork } from "./address";
import type { EtcdClusterArgs } from "./args";
import { isAtLeast, minorOf } from "./host/version";
import { InputError } from "./inputError";
import { checkBackup } from "./validation/backup";
import { checkClients, checkClusterName, checkScalars, checkVersion } from "./validation/cluster";
import { checkHosts, toleranceOf } from "./validation/hosts";
import { checkCertificates, checkInstall, checkTimeouts, checkTuning } from "./validation/options";
import { checkRestore } from "./validation/restore";
import { checkShape } from "./validation/shape";
import { checkSsh } from "./validation/ssh";

/**
 * Checks everything about a cluster's arguments that shows without looking at a host.
 * @returns what is allowed but should be known: one sentence each
 * @throws InputError with all problems at once
 */
export function validateCluster(name: string, args: EtcdClusterArgs): readonly string[] {
    const unlike = checkShape(args);
    if (unlike.length > 0) throw new InputError(`EtcdCluster ${JSON.stringify(name)}`, unlike);
    const problems = [
        ...checkClusterName(name),
        ...checkVersion(args.version),
        ...checkInstall(args.install),
        ...checkHosts(args),
        ...checkSsh(args),
        ...checkClients(args.clients),
        ...checkScalars(args),
        ...checkTuning(args.tuning),
        ...checkTimeouts(args),
        ...checkRestore(name, args),
        ...checkCertificates(args),
        ...checkBackup(name, args),
    ];
    if (problems.length > 0) throw new InputError(`EtcdCluster ${JSON.stringify(name)}`, problems);
    return [...versionWarnings(args), ...sizeWarnings(args), ...reachWarnings(args)];
}

/** The first version of each series without holes that are publicly known (GHSA-xg4h, GHSA-6vch). */
const SECURE_FROM: Readonly<Record<string, string>> = { "3.5": "3.5.33", "3.6": "3.6.14", "3.7": "3.7.1" };

function versionWarnings({ version }: EtcdClusterArgs): readonly string[] {
    const floor = SECURE_FROM[minorOf(version)];
    if (floor === undefined)
        return [`etcd ${version} is at its end of life and gets no security fixes any more: move on to a later series`];
    if (isAtLeast(version, floor)) return [];
    return [`etcd ${version} has publicly known security holes: use ${floor} or later`];
}

function sizeWarnings({ hosts }: EtcdClusterArgs): readonly string[] {
    const size = hosts.length;
    if (size > 7) return [`${size} members write slower than 7 and are seldom safer: etcd's own advice is 7 at most`];
    if (size % 2 === 1) return [];
    return [
        `${size} members survive the loss of ${toleranceOf(size)}, no more than ${size - 1} would: declare an odd number`,
    ];
}

function reachWarnings(args: EtcdClusterArgs): readonly string[] {
    const unchecked = args.hosts.filter(
        (host) => (host.ssh?.insecureSkipHostKeyCheck ?? args.ssh.insecureSkipHostKeyCheck) === true,
    );
    const open = (args.clients ?? []).filter((client) =>
        client.addresses?.some((address) => parseNetwork(address)?.prefix === 0),
    );
    return [
        ...(unchecked.length === 0
            ? []
            : [
                  `the SSH host keys of ${unchecked.map((host) => host.name).join(", ")} are NOT checked (insecureSkipHostKeyCheck): ` +
                      "whoever stands in between can read and change everything, private keys included",
              ]),
        ...open.map(
            (client) =>
                `the client ${client.name} lets every address in to the client port: only certificates protect it`,
        ),
    ];
}
