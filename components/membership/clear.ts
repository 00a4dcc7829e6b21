/** The end of a cluster on its hosts. */
import { hostPaths, type HostPaths } from "../host/paths";
import { removeReleases } from "../host/removeReleases";
import { shellQuote } from "../quote";
import { pool } from "../remote/connectionPool";
import { isRemoteError } from "../remote/errors";
import { exclusiveScript } from "../remote/hostLock";
import { onePerMachine } from "../remote/machines";
import type { SshConnection, SshTarget } from "../remote/ssh";
import { messageOf, withNext } from "./errors";
import { locked, type Away, type LockedWork } from "./locked";
import { clearScript } from "./retireScripts";

/** Which cluster's things go. */
export interface Cleared {
    readonly cluster: string;
    readonly dataDir: string;
    readonly deleteDataOnDestroy: boolean;
    /** Whose state this is for: hosts that another state's cluster has are left alone. */
    readonly owner?: string | undefined;
}

type ClearedHosts = readonly { readonly name: string; readonly ssh: SshTarget }[];

/** Stopping etcd, moving its data and removing its files takes seconds; a host that hangs is not waited for. */
const CLEAR_SECONDS = 180;

/**
 * Stops etcd on hosts and removes what we placed; data is moved aside unless it shall go. A host where nothing of ours is left is left
 * alone. One that can't be reached is named, and blocks nothing.
 * @throws Error naming each host that was reached but could not be cleared
 */
async function clearHosts(
    { cluster, dataDir, deleteDataOnDestroy, owner }: Cleared,
    hosts: ClearedHosts,
    away: Away,
): Promise<void> {
    const paths = hostPaths(cluster, dataDir);
    const script = [
        "set -eu",
        // A first run may have come no further than to install, or to begin to.
        `[ -e '${paths.root}' ] || [ -e '${paths.unitFile}' ] || {\n${removeReleases(paths)}\nexit 0\n}`,
        owner === undefined ? "" : leaveToOwner(paths, owner),
        clearScript(paths, deleteDataOnDestroy),
    ].join("\n");
    const failures: string[] = [];
    const reached = await reachable(cluster, hosts, away);
    await Promise.all(
        (await onePerMachine([...reached.keys()])).map(async (connection) => {
            const name = reached.get(connection)!;
            const done = await connection
                .runOrThrow("remove etcd", exclusiveScript(cluster, script), { timeoutSeconds: CLEAR_SECONDS })
                .catch((error: unknown) => {
                    failures.push(`host "${name}": ${messageOf(error)}`);
                    return "";
                });
            if (done.trim()) console.log(`[${cluster}] "${name}": ${done.trim()}`);
        }),
    );
    if (failures.length > 0) throw new ClearError(cluster, failures);
}

/** The open connections, each with its host's name. A former host may be a declared one at an address that it had: that comes first. */
async function reachable(
    cluster: string,
    hosts: ClearedHosts,
    away: Away,
): Promise<ReadonlyMap<SshConnection, string>> {
    const connect = async (ssh: SshTarget): Promise<SshConnection> => {
        const why = away.get(ssh);
        if (why !== undefined) throw new Error(why);
        return pool.connect(ssh);
    };
    const connections = await Promise.all(
        hosts.map(async ({ name, ssh }) => {
            const connection = await connect(ssh).catch((error: unknown) => {
                tellOnce(
                    `[${cluster}] host "${name}" was not cleared: ${messageOf(error)}; should it come back, its etcd is still enabled`,
                );
            });
            return connection ? [[connection, name] as const] : [];
        }),
    );
    return new Map(connections.flat());
}

function leaveToOwner({ mark }: HostPaths, owner: string): string {
    return `other=$(sed -n 3p ${shellQuote(mark)} 2>/dev/null || :)
[ -z "$other" ] || [ "$other" = ${shellQuote(owner)} ] || { echo "left alone: a cluster of this name that another state built is there"; exit 0; }`;
}

/**
 * The same, while nobody else works on the cluster.
 * @throws Error as above, or naming who does
 */
export async function clearLocked(
    cleared: Cleared,
    work: LockedWork & { readonly hosts: ClearedHosts },
): Promise<void> {
    const { hosts } = work;
    await locked({ ...work, ending: hosts }, ({ away }) => clearHosts(cleared, hosts, away)).catch((error: unknown) => {
        const isBusy = isRemoteError(error, "lock-held") || isRemoteError(error, "step-unfinished");
        throw isBusy ? new ClearError(cleared.cluster, [error.message]) : error;
    });
}

/** A cluster's resources are cleared one after the other, and meet the same host. */
const told = new Set<string>();

function tellOnce(line: string): void {
    if (told.has(line)) return;
    told.add(line);
    console.log(line);
}

/** The engine's dynamic provider tells the message, and prints the error as text with its stack besides. */
export class ClearError extends Error {
    override readonly name = "ClearError";
    override readonly stack = "see the resource's own error";

    constructor(
        private readonly cluster: string,
        failures: readonly string[],
    ) {
        super(
            withNext(
                `etcd was not removed everywhere; run pulumi destroy again\n${failures.join("\n")}`,
                "pulumi destroy",
            ),
        );
    }

    override toString(): string {
        return `[${this.cluster}] not everything was removed`;
    }
}
