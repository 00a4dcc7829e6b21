/** One run at a time on a cluster. */
import { hostname, userInfo } from "node:os";

import { pool } from "../remote/connectionPool";
import { acquireLock, type ClusterLock } from "../remote/lock";
import type { SshTarget } from "../remote/ssh";

export interface LockedWork {
    readonly cluster: string;
    /** For others to read who holds it. */
    readonly stack: string;
    readonly hosts: readonly { readonly ssh: SshTarget }[];
    /** How long to wait for another run. */
    readonly waitSeconds: number;
    readonly tell: (line: string) => void;
}

/**
 * Does some work while the cluster's lock is held on all of its hosts that can be reached.
 * @throws LockHeldError when another run has it at the end of the time
 */
export async function locked<T>(
    { cluster, stack, hosts, waitSeconds, tell }: LockedWork,
    work: (lock: ClusterLock) => Promise<T>,
): Promise<T> {
    const connections = await Promise.all(hosts.map(({ ssh }) => pool.connect(ssh).catch(() => undefined)));
    const lock = await acquireLock(
        connections.filter((connection) => connection !== undefined),
        {
            cluster,
            holder: `${userInfo().username}@${hostname()}, process ${process.pid}, stack ${stack}`,
            waitSeconds,
            onWait: (held) => tell(`waiting: ${held.message}`),
        },
    );
    try {
        return await work(lock);
    } finally {
        await lock.release();
    }
}
