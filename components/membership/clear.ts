/** The end of a cluster on its hosts. */
import { hostPaths, type HostPaths } from "../host/paths";
import { removeReleases } from "../host/removeReleases";
import { shellQuote } from "../quote";
import { pool } from "../remote/connectionPool";
import { isRemoteError, type RemoteErrorKind } from "../remote/errors";
import { exclusiveScript } from "../remote/hostLock";
import { onePerMachine } from "../remote/machines";
import type { SshConnection } from "../remote/ssh";
import type { SshTarget } from "../remote/target";
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

/** Somebody is there, and does not let us in: which says nothing about whether etcd runs there. */
const REFUSALS: readonly RemoteErrorKind[] = [
    "auth-failed",
    "no-credentials",
    "private-key-invalid",
    "forward-refused",
];
/** Somebody else is there, as it seems: another machine by now, unless all of them are. */
const STRANGERS: readonly RemoteErrorKind[] = ["host-key-mismatch", "host-key-invalid", "host-key-missing"];

interface ClearedWork extends LockedWork {
    readonly hosts: readonly { readonly name: string; readonly ssh: SshTarget }[];
    /** No cluster can run there any more, or ever ran there. @default false */
    readonly mayAllBeAway?: boolean;
}

/** Stopping etcd, moving its data and removing its files takes seconds; a host that hangs is not waited for. */
const CLEAR_SECONDS = 180;

/**
 * Stops etcd on hosts and removes what we placed; data is moved aside unless it shall go. A host where nothing of ours is left is left
 * alone. One that can't be reached is named, and blocks nothing, unless none can.
 * @throws ClearError naming each host that was reached but could not be cleared, and as of `reachable`
 */
async function clearHosts(
    { cluster, dataDir, deleteDataOnDestroy, owner }: Cleared,
    work: ClearedWork,
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
    const reached = await reachable(work, away);
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
    if (failures.length > 0) throw ClearError.ofFailures(cluster, failures);
}

/**
 * The open connections, each with its host's name. A former host may be a declared one at an address that it had: that comes first.
 * @throws ClearError when somebody is there and refuses to let us in, or no declared host is reached: it would end a cluster in state alone
 */
async function reachable(
    { cluster, hosts, leaving = [], mayAllBeAway = false }: ClearedWork,
    away: Away,
): Promise<ReadonlyMap<SshConnection, string>> {
    const connect = async (ssh: SshTarget): Promise<SshConnection> => {
        if (away.has(ssh)) throw away.get(ssh);
        return pool.connect(ssh);
    };
    const refusals: string[] = [];
    const strangers: string[] = [];
    const unreached: string[] = [];
    const connections = await Promise.all(
        hosts.map(async ({ name, ssh }) => {
            const connection = await connect(ssh).catch((error: unknown) => {
                const why = `host "${name}": ${messageOf(error)}`;
                const isOf = (kinds: readonly RemoteErrorKind[]): boolean =>
                    kinds.some((kind) => isRemoteError(error, kind));
                if (!leaving.some((host) => host.ssh === ssh)) {
                    unreached.push(why);
                    if (isOf(REFUSALS)) refusals.push(why);
                    if (isOf(STRANGERS)) strangers.push(why);
                }
                tellOnce(
                    `[${cluster}] host "${name}" was not cleared: ${messageOf(error)}; should it come back, its etcd is still enabled`,
                );
            });
            return connection ? [[connection, name] as const] : [];
        }),
    );
    const reached = new Map(connections.flat());
    if (refusals.length > 0) throw ClearError.ofRefusals(cluster, refusals);
    if (unreached.length < hosts.length - leaving.length || unreached.length === 0) return reached;
    if (strangers.length === unreached.length) throw ClearError.ofStrangers(cluster, strangers);
    if (mayAllBeAway) return reached;
    throw ClearError.ofSilence(cluster, unreached);
}

function leaveToOwner({ mark }: HostPaths, owner: string): string {
    return `other=$(sed -n 3p ${shellQuote(mark)} 2>/dev/null || :)
[ -z "$other" ] || [ "$other" = ${shellQuote(owner)} ] || { echo "left alone: a cluster of this name that another state built is there"; exit 0; }`;
}

/**
 * The same, while nobody else works on the cluster.
 * @throws Error as above, or naming who does
 */
export async function clearLocked(cleared: Cleared, work: ClearedWork): Promise<void> {
    await locked({ ...work, ending: work.hosts }, ({ away }) => clearHosts(cleared, work, away)).catch(
        (error: unknown) => {
            const isBusy = isRemoteError(error, "lock-held") || isRemoteError(error, "step-unfinished");
            throw isBusy ? ClearError.ofFailures(cleared.cluster, [error.message]) : error;
        },
    );
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

    private constructor(
        private readonly cluster: string,
        what: string,
        hosts: readonly string[],
        next: string,
    ) {
        super(withNext([what, ...hosts].join("\n"), next));
    }

    static ofFailures(cluster: string, failures: readonly string[]): ClearError {
        const what = "etcd was not removed everywhere; run pulumi destroy again";
        return new ClearError(cluster, what, failures, "pulumi destroy");
    }

    static ofRefusals(cluster: string, refusals: readonly string[]): ClearError {
        const what =
            "nothing was removed: hosts refuse the login that the last pulumi up was made with, and etcd may run there; declare what they accept and run pulumi up, then pulumi destroy again; one that is lost for good: switch it off, or take it off the list and run pulumi up";
        return new ClearError(cluster, what, refusals, "pulumi up");
    }

    static ofStrangers(cluster: string, strangers: readonly string[]): ClearError {
        const what =
            "nothing was removed: no host shows a host key that the last pulumi up knew, and etcd may run there; declare those they have and run pulumi up, then pulumi destroy again; if they are other machines by now, forget the cluster (pulumi state delete --target-dependents, with its URN)";
        return new ClearError(cluster, what, strangers, "pulumi up");
    }

    static ofSilence(cluster: string, unreached: readonly string[]): ClearError {
        const what =
            "nothing was removed: no host can be reached, and etcd may run there; see whether the network, a VPN or a bastion is in the way; if all are gone for good, forget the cluster (pulumi state delete --target-dependents, with its URN)";
        return new ClearError(cluster, what, unreached, "pulumi destroy");
    }

    override toString(): string {
        return `[${this.cluster}] not everything was removed`;
    }
}
