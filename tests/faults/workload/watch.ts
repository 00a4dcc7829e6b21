/** One watch of everything from revision 1 on, or from the first that is not compacted, which is opened anew, at the next endpoint, where it was broken off. */
import type { IWatchResponse } from "etcd3/lib/rpc";

import { textOf } from "./clients";
import type { Endpoint } from "./endpoint";
import type { Recorder } from "./recorder";

/** A stream that is silent for so long, while there is more than it has told, leads nowhere. */
const SILENCE_MS = 1500;
const LOOK_MS = 100;

export class Watch {
    connections = 0;
    /** Why it can't go on, if it can't. */
    error: string | undefined;
    private next = 1;
    private isOn = true;
    private readonly work: Promise<void>;

    constructor(
        private readonly recorder: Recorder,
        private readonly endpoints: () => readonly Endpoint[],
    ) {
        this.work = this.run();
    }

    /** Until it has come to a revision, or the time is over; then it ends. */
    async finish(revision: number, seconds: number): Promise<void> {
        const deadline = performance.now() + seconds * 1000;
        while (this.next <= revision && this.error === undefined && performance.now() < deadline) await pause(20);
        this.isOn = false;
        await this.work;
    }

    private async run(): Promise<void> {
        for (let turn = 0; this.isOn && this.error === undefined; turn += 1) {
            const all = this.endpoints();
            await this.follow(all[turn % all.length]!).catch(() => undefined);
            await pause(50);
        }
    }

    /** Settles when the stream has ended or leads nowhere. */
    private async follow(endpoint: Endpoint): Promise<void> {
        const stream = await endpoint.etcd.watchClient.watch();
        this.connections += 1;
        let isOpen = true;
        let heardMs = performance.now();
        const end = (): void => void (isOpen = false);
        stream.on("data", (response) => {
            heardMs = performance.now();
            if (isOpen) this.take(response, end);
        });
        stream.on("end", end);
        stream.on("error", end);
        stream.write({
            create_request: {
                key: Buffer.from(this.recorder.prefix),
                range_end: endOf(this.recorder.prefix),
                start_revision: this.next,
            },
        });
        while (isOpen && this.isOn && this.endpoints().includes(endpoint)) {
            await pause(LOOK_MS);
            const isBehind = (this.recorder.newest?.revision ?? 0) >= this.next;
            if (isBehind && performance.now() - heardMs > SILENCE_MS) break;
        }
        isOpen = false;
        stream.cancel();
    }

    private take(response: IWatchResponse, end: () => void): void {
        try {
            for (const { type, kv } of response.events) {
                const revision = Number(kv.mod_revision);
                this.recorder.watched.push({ revision, type, key: kv.key.toString(), value: kv.value.toString() });
                this.next = Math.max(this.next, revision + 1);
            }
            if (!response.canceled) return;
            end();
            const compacted = Number(response.compact_revision);
            // What was compacted before the first event is of nobody's: a write of this run that is not watched fails the verdict.
            if (compacted > 0 && this.next === 1) this.next = compacted;
            else if (compacted > 0)
                this.error = `revisions up to ${response.compact_revision} were compacted, and it needs those from ${this.next} on`;
        } catch (error) {
            this.error = textOf(error);
        }
    }
}

/** The first key after all that begin so. */
export function endOf(prefix: string): Buffer {
    const end = Buffer.from(prefix);
    end[end.length - 1]! += 1;
    return end;
}

function pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
