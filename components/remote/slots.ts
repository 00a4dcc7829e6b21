/** Lets a limited number of pieces of work run at a time, first come, first served. */
export class Slots {
    #free: number;
    readonly #waiting: (() => void)[] = [];

    constructor(size: number) {
        this.#free = size;
    }

    /** Settles when there is a place. Each place taken has to be given back. */
    async take(): Promise<void> {
        if (this.#free > 0) {
            this.#free -= 1;
            return;
        }
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }

    giveBack(): void {
        const next = this.#waiting.shift();
        if (next === undefined) this.#free += 1;
        else next();
    }
}
