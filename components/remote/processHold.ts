import { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** Lets a connection keep the process alive only while somebody uses it. A connection through a bastion uses the bastion's. */
export class ProcessHold {
    #users = 0;
    #releaseOuter: (() => void) | undefined;

    constructor(
        private readonly stream: Duplex,
        private readonly outer: ProcessHold | undefined,
    ) {
        this.#letGo();
    }

    /** @returns gives the hold back; calling it again does nothing */
    take(): () => void {
        if (this.#users === 0) this.#hold();
        this.#users += 1;
        let isHeld = true;
        return () => {
            if (!isHeld) return;
            isHeld = false;
            this.#users -= 1;
            if (this.#users === 0) this.#letGo();
        };
    }

    #hold(): void {
        if (this.stream instanceof Socket) this.stream.ref();
        this.#releaseOuter = this.outer?.take();
    }

    #letGo(): void {
        if (this.stream instanceof Socket) this.stream.unref();
        this.#releaseOuter?.();
        this.#releaseOuter = undefined;
    }
}
