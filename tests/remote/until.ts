import { setTimeout as pause } from "node:timers/promises";

/** Waits for a condition. @throws when it does not come true in time */
export async function until(what: string, seconds: number, check: () => Promise<boolean> | boolean): Promise<void> {
    const deadline = Date.now() + seconds * 1000;
    while (!(await check())) {
        if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`);
        await pause(20);
    }
}
