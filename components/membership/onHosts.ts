/** Scripts of steps on hosts, each while no other of the same cluster runs there. */
import { exclusiveScript } from "../remote/hostLock";
import type { Observer } from "./observe";
import type { Desired } from "./types";

export class OnHosts {
    constructor(
        private readonly observer: Observer,
        private readonly wanted: Desired,
    ) {}

    /**
     * @param what the script does, for the error when it fails
     * @param seconds it may take
     * @returns what it printed
     */
    async run(
        key: string,
        what: string,
        script: string,
        seconds = this.wanted.timeouts.commandSeconds,
    ): Promise<string> {
        const connection = await this.observer.connection(key);
        return connection.runOrThrow(what, exclusiveScript(this.wanted.cluster, script), { timeoutSeconds: seconds });
    }

    async runOnEach(keys: readonly string[], what: string, script: (key: string) => string): Promise<void> {
        await allEnded(keys.map((key) => this.run(key, what, script(key))));
    }
}

/** Nothing that was begun goes on when a step has failed, since the lock may be given back. @throws what the first one of all threw */
export async function allEnded<T>(works: readonly Promise<T>[]): Promise<readonly T[]> {
    await Promise.allSettled(works);
    return Promise.all(works);
}
