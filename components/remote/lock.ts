import { isRemoteError, type RemoteError, type RemoteErrorKind } from "./errors";
import { HostLock } from "./hostLock";
import type { SshConnection } from "./ssh";

export interface LockOptions {
    readonly cluster: string;
    /** Who we are, for others to read: `user@machine, process 4711, stack tools`. */
    readonly holder: string;
    /** How long to wait for another holder, on each host. 0: not at all. */
    readonly waitSeconds: number;
    /** Is told who has it, when there is somebody to wait for. */
    readonly onWait?: ((why: RemoteError) => void) | undefined;
    /** As of `HostLockOptions`. */
    readonly leftoverSeconds?: number | undefined;
    /** As of `HostLockOptions`. Those that may be away have what is usual: they hold nobody up. */
    readonly startSeconds?: number | undefined;
    /** Hosts that hold nobody up when they let us in and then do not answer. @default none */
    readonly mayBeSilent?: ReadonlySet<SshConnection> | undefined;
    /** Hosts that hold nobody up, whatever keeps us out there, but for somebody's work on the cluster. @default none */
    readonly mayBeAway?: ReadonlySet<SshConnection> | undefined;
}

/** The lock of one cluster, on all hosts that were reachable. It is free within seconds after this process is gone, however it ends. */
export interface ClusterLock {
    /** To be asked before each step that changes something. @throws RemoteError lock-lost, if a host may have let go */
    assertHeld(): void;
    /** Settles when all hosts have let go; those out of reach do so by themselves. Never throws. */
    release(): Promise<void>;
}

export interface AcquiredLock extends ClusterLock {
    /** Where it was not taken, and why: of those that may be silent, or away. */
    readonly away: ReadonlyMap<SshConnection, RemoteError>;
}

/**
 * Takes a cluster's lock on each of the hosts.
 * @throws LockHeldError if somebody else has it at the end of the time; RemoteError if a host can't be asked, or is not done with what a run began
 */
export async function acquireLock(connections: readonly SshConnection[], options: LockOptions): Promise<AcquiredLock> {
    const hosts = [...new Set(connections)].sort((a, b) => compare(place(a), place(b)));
    const away = new Map<SshConnection, RemoteError>();
    const take = (host: SshConnection, waitSeconds: number): Promise<HostLock | undefined> => {
        const startSeconds = options.mayBeAway?.has(host) ? undefined : options.startSeconds;
        return HostLock.take(host, { ...options, waitSeconds, startSeconds }).catch((error: unknown) => {
            if (!mayDoWithout(host, error, options)) throw error;
            away.set(host, error);
            return undefined;
        });
    };
    const lock =
        (await takeAtOnce(hosts, (host) => take(host, 0))) ??
        (await takeInOrder(
            hosts.filter((host) => !away.has(host)),
            (host) => take(host, options.waitSeconds),
        ));
    return { ...lock, away };
}

const BUSY = ["lock-held", "step-unfinished"] as const;
const SILENT = ["command-timeout", "connection-lost", "unreachable"] as const;

function mayDoWithout(host: SshConnection, error: unknown, options: LockOptions): error is RemoteError {
    const isOneOf = (kinds: readonly RemoteErrorKind[]): boolean => kinds.some((kind) => isRemoteError(error, kind));
    if (options.mayBeAway?.has(host)) return isRemoteError(error) && !isOneOf(BUSY);
    return options.mayBeSilent?.has(host) === true && isOneOf(SILENT);
}

type Take = (host: SshConnection) => Promise<HostLock | undefined>;

/** The usual case, nobody else about: all hosts are asked side by side. */
async function takeAtOnce(hosts: readonly SshConnection[], take: Take): Promise<ClusterLock | undefined> {
    const tries = await Promise.allSettled(hosts.map(take));
    const taken = tries.flatMap((attempt) => (attempt.status === "fulfilled" ? (attempt.value ?? []) : []));
    if (tries.every(({ status }) => status === "fulfilled")) return whole(taken);

    await releaseAll(taken);
    const failure = tries.find(
        (attempt) => attempt.status === "rejected" && !isRemoteError(attempt.reason, "lock-held"),
    );
    if (failure?.status === "rejected") throw failure.reason;
    return undefined;
}

/** Somebody else is about. Everybody waits in the same order and holds what comes before, so that no two wait for each other. */
async function takeInOrder(hosts: readonly SshConnection[], take: Take): Promise<ClusterLock> {
    const taken: HostLock[] = [];
    try {
        for (const host of hosts) {
            const lock = await take(host);
            if (lock) taken.push(lock);
        }
        return whole(taken);
    } catch (error) {
        await releaseAll(taken);
        throw error;
    }
}

function whole(locks: readonly HostLock[]): ClusterLock {
    return {
        assertHeld: () => locks.forEach((lock) => lock.assertHeld()),
        release: () => releaseAll(locks),
    };
}

async function releaseAll(locks: readonly HostLock[]): Promise<void> {
    await Promise.all(locks.map((lock) => lock.release()));
}

/** Where a connection leads, whoever logs in. */
function place({ target }: SshConnection): string {
    return `${target.address}:${target.port ?? 22}`;
}

function compare(a: string, b: string): number {
    if (a === b) return 0;
    return a < b ? -1 : 1;
}
