/** Holds a cluster's lock until it is killed, and tells when it has it and when it no longer has. */
import { pool } from "../../components/remote/connectionPool";
import { acquireLock } from "../../components/remote/lock";
import type { SshTarget } from "../../components/remote/target";
import { programInput } from "./program";

interface Input {
    readonly targets: readonly SshTarget[];
    readonly cluster: string;
    readonly holder: string;
    readonly waitSeconds: number;
}

async function main(): Promise<void> {
    const { targets, ...options } = await programInput<Input>();
    const connections = await Promise.all(targets.map((target) => pool.connect(target)));
    const lock = await acquireLock(connections, options);
    console.log("has the lock");
    const lost = await new Promise<{ kind?: string }>((resolve) => {
        const timer = setInterval(() => {
            try {
                lock.assertHeld();
            } catch (error) {
                clearInterval(timer);
                resolve(error as { kind?: string });
            }
        }, 50);
    });
    console.log(`lost the lock: ${lost.kind}`);
    await lock.release();
    pool.closeAll();
}

void main();
