import type { Phase, Read, RegisterOperation, WatchEvent, Write } from "./recording";

/** Where all clients of the process note what they did. */
export class Recorder {
    readonly phases: Phase[] = [];
    readonly writes: Write[] = [];
    readonly reads: Read[] = [];
    readonly register: RegisterOperation[] = [];
    readonly watched: WatchEvent[] = [];
    failedReads = 0;
    /** The last that was acknowledged. */
    newest: { readonly key: string; readonly revision: number } | undefined;
    private acknowledged = 0;
    private readonly sequences = new Map<string, number>();
    private waiting: { readonly client: string | undefined; left: number; readonly done: () => void }[] = [];

    constructor(readonly prefix: string) {}

    get registerKey(): string {
        return `${this.prefix}register`;
    }

    /** A key that was never used before. */
    nextKey(client: string): string {
        const number = this.sequences.get(client) ?? 0;
        this.sequences.set(client, number + 1);
        return `${this.prefix}${client}/${String(number).padStart(6, "0")}`;
    }

    beginPhase(name: string, minimumWrites: number): void {
        this.phases.push({ name, beganMs: performance.now(), minimumWrites });
    }

    acknowledge(write: Write & { readonly revision: number }): void {
        this.writes.push(write);
        this.newest = { key: write.key, revision: write.revision };
        this.acknowledged += 1;
        for (const wait of this.waiting) {
            if (wait.client !== undefined && wait.client !== write.client) continue;
            wait.left -= 1;
            if (wait.left === 0) wait.done();
        }
        this.waiting = this.waiting.filter(({ left }) => left > 0);
    }

    /** Settles when so many more writes were acknowledged, by one client or by any. @throws when that takes too long */
    progress(writes: number, seconds: number, client?: string): Promise<void> {
        return new Promise((resolve, reject) => {
            const before = this.acknowledged;
            const by = client === undefined ? "" : ` by ${client}`;
            const timer = setTimeout(
                () =>
                    reject(
                        new Error(
                            `the workload made too little progress: wanted were ${writes} acknowledged writes${by} within ${seconds} s, and there were ${this.acknowledged - before} by all; the last error was: ${this.lastError(client)}`,
                        ),
                    ),
                seconds * 1000,
            );
            const done = (): void => {
                clearTimeout(timer);
                resolve();
            };
            this.waiting.push({ client, left: writes, done });
        });
    }

    private lastError(client: string | undefined): string {
        const failed = this.writes.filter((write) => write.error && (client === undefined || write.client === client));
        return failed.at(-1)?.error ?? "none";
    }
}
