/** One run at a time on a cluster. */
import { hostname, userInfo } from "node:os";

import { pool } from "../remote/connectionPool";
import { onePerMachine } from "../remote/machines";
import { acquireLock, type ClusterLock } from "../remote/lock";
import type { SshConnection, SshTarget } from "../remote/ssh";

export interface LockedWork {
    readonly cluster: string;
    /** For others to read who holds it. */
    readonly stack: string;
    readonly hosts: readonly { readonly ssh: SshTarget }[];
    /** Two of them may be one machine, known at two addresses. */
    readonly mayHaveTwins: boolean;
    /** How long to wait for another run. */
    readonly waitSeconds: number;
}

interface HeldLock extends ClusterLock {
    readonly connections: readonly SshConnection[];
}

/** Locks that were taken for work which the engine asks for later, by cluster. This process ends with the run, and its locks with it. */
const kept = new Map<string, HeldLock>();

/**
 * Takes the cluster's lock for the work to come, all of this run's.
 * @throws LockHeldError when another run has it at the end of the time
 */
export async function keepLock(work: LockedWork): Promise<void> {
    if ((await stillKept(work.cluster)) === undefined) kept.set(work.cluster, await take(work, []));
}

/** When nothing is to come any more. */
export async function giveBackLock(cluster: string): Promise<void> {
    const lock = kept.get(cluster);
    kept.delete(cluster);
    await lock?.release();
}

/**
 * Does some work while the cluster's lock is held on all of its hosts that can be reached, and gives back what was kept for it.
 * @throws LockHeldError when another run has it at the end of the time
 */
export async function locked<T>(work: LockedWork, use: (lock: ClusterLock) => Promise<T>): Promise<T> {
    const before = await stillKept(work.cluster);
    try {
        const rest = await take(work, before?.connections ?? []);
        try {
            return await use(before === undefined ? rest : both(before, rest));
        } finally {
            await rest.release();
        }
    } finally {
        await giveBackLock(work.cluster);
    }
}

/** One that was lost meanwhile, as by a host's reboot, is to be taken anew. */
async function stillKept(cluster: string): Promise<HeldLock | undefined> {
    const lock = kept.get(cluster);
    try {
        lock?.assertHeld();
        return lock;
    } catch {
        await giveBackLock(cluster);
        return undefined;
    }
}

/** On all hosts that can be reached, but on those where it is held already. */
async function take(work: LockedWork, held: readonly SshConnection[]): Promise<HeldLock> {
    const { cluster, stack, hosts, mayHaveTwins, waitSeconds } = work;
    const answers = await Promise.all(hosts.map(({ ssh }) => pool.connect(ssh).catch(() => undefined)));
    const reached = answers.filter((connection) => connection !== undefined);
    const machines = mayHaveTwins ? await onePerMachine([...held, ...reached]) : reached;
    const connections = machines.filter((connection) => !held.includes(connection));
    const lock = await acquireLock(connections, {
        cluster,
        holder: `${userInfo().username}@${hostname()}, process ${process.pid}, stack ${stack}`,
        waitSeconds,
        onWait: (why) => console.log(`[${cluster}] waiting: ${why.message}`),
    });
    return { ...lock, connections };
}

function both(one: ClusterLock, other: ClusterLock): ClusterLock {
    return {
        assertHeld: () => [one, other].forEach((lock) => lock.assertHeld()),
        release: async () => void (await Promise.all([one.release(), other.release()])),
    };
}
