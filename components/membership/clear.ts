/** The end of a cluster on its hosts. */
import { hostPaths } from "../host/paths";
import { pool } from "../remote/connectionPool";
import type { SshTarget } from "../remote/ssh";
import { messageOf } from "./errors";
import { removeFiles, removeReleases, setAside, stop } from "./scripts";

/** Which cluster's things go. */
export interface Cleared {
    readonly cluster: string;
    readonly dataDir: string;
    readonly deleteDataOnDestroy: boolean;
}

/** Stopping etcd, moving its data and removing its files takes seconds; a host that hangs is not waited for. */
const CLEAR_SECONDS = 180;

/**
 * Stops etcd on hosts and removes what we placed; data is moved aside unless it shall go. A host where nothing of ours is left is left
 * alone. One that can't be reached is named, and blocks nothing.
 * @throws Error naming each host that was reached but could not be cleared
 */
export async function clearHosts(
    { cluster, dataDir, deleteDataOnDestroy }: Cleared,
    hosts: readonly { readonly name: string; readonly ssh: SshTarget }[],
): Promise<void> {
    const paths = hostPaths(cluster, dataDir);
    const script = [
        "set -eu",
        // A first run may have come no further than to install, or to begin to.
        `[ -e '${paths.root}' ] || [ -e '${paths.unitFile}' ] || {\n${removeReleases(paths)}\nexit 0\n}`,
        stop(paths),
        deleteDataOnDestroy ? "" : setAside(paths),
        removeFiles(paths, deleteDataOnDestroy),
    ].join("\n");
    const failures: string[] = [];
    await Promise.all(
        hosts.map(async ({ name, ssh }) => {
            const connection = await pool.connect(ssh).catch((error: unknown) => {
                tellOnce(
                    `[${cluster}] host "${name}" was not cleared: ${messageOf(error)}; should it come back, its etcd is still enabled`,
                );
            });
            if (!connection) return;
            const done = await connection
                .runOrThrow("remove etcd", script, { timeoutSeconds: CLEAR_SECONDS })
                .catch((error: unknown) => {
                    failures.push(`host "${name}": ${messageOf(error)}`);
                    return "";
                });
            if (done.trim()) console.log(`[${cluster}] "${name}": ${done.trim()}`);
        }),
    );
    if (failures.length > 0) throw new ClearError(cluster, failures);
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
        super(`etcd was not removed everywhere; run pulumi destroy again\n${failures.join("\n")}`);
    }

    override toString(): string {
        return `[${this.cluster}] not everything was removed`;
    }
}
