/** One run at a time on a cluster. */
import { hostname, userInfo } from "node:os";

import { pool } from "../remote/connectionPool";
import { onePerMachine } from "../remote/machines";
import { acquireLock, type ClusterLock } from "../remote/lock";
import type { SshConnection } from "../remote/ssh";
import type { SshTarget } from "../remote/target";

type Hosts = readonly { readonly ssh: SshTarget }[];

export interface LockedWork {
    readonly cluster: string;
    /** For others to read who holds it. */
    readonly stack: string;
    readonly hosts: Hosts;
    /** Two of them may be one machine, known at two addresses. */
    readonly mayHaveTwins: boolean;
    /** How long to wait for another run. */
    readonly waitSeconds: number;
    /** How long a command on a host may take, and so the start of a shell, which may ask a directory for the user's rights. */
    readonly commandSeconds: number;
    /**
     * Those of them that are declared no more. They hold nobody up, whatever keeps us out: who retires a host may have taken our rights
     * there first, and they are not waited for longer than usual. @default none
     */
    readonly leaving?: Hosts;
    /**
     * Those of them that are to be cleared. They hold nobody up when they let us in and then do not answer; one that refuses us sudo does,
     * or a wrong password would end a cluster in state alone. @default none
     */
    readonly ending?: Hosts;
}

/** A shell may take so long to start, however short commands are to be. */
const LEAST_START_SECONDS = 15;

/** Why a host is left alone for as long as a lock is held: it is not held there. */
export type Away = ReadonlyMap<SshTarget, unknown>;

interface HeldLock extends ClusterLock {
    readonly connections: readonly SshConnection[];
    readonly away: Away;
}

export interface LockedHosts extends ClusterLock {
    /** What can be reached again is not locked by that: work that changes something keeps its hands off. */
    readonly away: Away;
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
export async function locked<T>(work: LockedWork, use: (lock: LockedHosts) => Promise<T>): Promise<T> {
    const before = await stillKept(work.cluster);
    try {
        const rest = await take(work, before?.connections ?? []);
        try {
            return await use(before === undefined ? rest : { ...both(before, rest), away: rest.away });
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
    const { cluster, stack, hosts, mayHaveTwins, waitSeconds, commandSeconds } = work;
    const away = new Map<SshTarget, unknown>();
    const reach = async (ssh: SshTarget): Promise<readonly (readonly [SshTarget, SshConnection])[]> => {
        try {
            return [[ssh, await pool.connect(ssh)]];
        } catch (error) {
            away.set(ssh, error);
            return [];
        }
    };
    const answers = (await Promise.all(hosts.map(({ ssh }) => reach(ssh)))).flat();
    const reached = answers.map(([, connection]) => connection);
    /** What nobody but those has: two hosts at one address share a connection. */
    const onlyOf = (some: Hosts = []): ReadonlySet<SshConnection> => {
        const those = new Set(some.map(({ ssh }) => ssh));
        const others = new Set(answers.flatMap(([ssh, connection]) => (those.has(ssh) ? [] : [connection])));
        return new Set(reached.filter((connection) => !others.has(connection)));
    };
    const machines = mayHaveTwins ? await onePerMachine([...held, ...reached]) : reached;
    const connections = machines.filter((connection) => !held.includes(connection));
    const lock = await acquireLock(connections, {
        cluster,
        holder: `${userName()}@${hostname()}, process ${process.pid}, stack ${stack}`,
        waitSeconds,
        startSeconds: Math.max(commandSeconds, LEAST_START_SECONDS),
        mayBeAway: onlyOf(work.leaving),
        mayBeSilent: onlyOf(work.ending),
        onWait: (why) => console.log(`[${cluster}] waiting: ${why.message}`),
    });
    for (const [ssh, connection] of answers) {
        const why = lock.away.get(connection);
        if (why) away.set(ssh, why);
    }
    return { ...lock, connections: connections.filter((connection) => !lock.away.has(connection)), away };
}

function both(one: ClusterLock, other: ClusterLock): ClusterLock {
    return {
        assertHeld: () => [one, other].forEach((lock) => lock.assertHeld()),
        release: async () => void (await Promise.all([one.release(), other.release()])),
    };
}

/** A user without an entry in the user database, as many containers run, has a number only. */
function userName(): string {
    try {
        return userInfo().username;
    } catch {
        return process.env.USER ?? String(process.getuid?.() ?? "somebody");
    }
}
