import { isRemoteError, type RemoteError } from "./errors";
import { HostLock, type HostLockOptions } from "./hostLock";
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
}

/** The lock of one cluster, on all hosts that were reachable. It is free within seconds after this process is gone, however it ends. */
export interface ClusterLock {
    /** To be asked before each step that changes something. @throws RemoteError lock-lost, if a host may have let go */
    assertHeld(): void;
    /** Settles when all hosts have let go; those out of reach do so by themselves. Never throws. */
    release(): Promise<void>;
}

/**
 * Takes a cluster's lock on each of the hosts.
 * @throws LockHeldError if somebody else has it at the end of the time; RemoteError if a host can't be asked, or is not done with what a run began
 */
export async function acquireLock(connections: readonly SshConnection[], options: LockOptions): Promise<ClusterLock> {
    const hosts = [...new Set(connections)].sort((a, b) => compare(place(a), place(b)));
    return (await takeAtOnce(hosts, options)) ?? takeInOrder(hosts, options);
}

/** The usual case, nobody else about: all hosts are asked side by side. */
async function takeAtOnce(hosts: readonly SshConnection[], options: LockOptions): Promise<ClusterLock | undefined> {
    const tries = await Promise.allSettled(hosts.map((host) => HostLock.take(host, { ...options, waitSeconds: 0 })));
    const taken = tries.flatMap((attempt) => (attempt.status === "fulfilled" ? [attempt.value] : []));
    if (taken.length === hosts.length) return whole(taken);

    await releaseAll(taken);
    const failure = tries.find(
        (attempt) => attempt.status === "rejected" && !isRemoteError(attempt.reason, "lock-held"),
    );
    if (failure?.status === "rejected") throw failure.reason;
    return undefined;
}

/** Somebody else is about. Everybody waits in the same order and holds what comes before, so that no two wait for each other. */
async function takeInOrder(hosts: readonly SshConnection[], options: HostLockOptions): Promise<ClusterLock> {
    const taken: HostLock[] = [];
    try {
        for (const host of hosts) taken.push(await HostLock.take(host, options));
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
