import { within } from "./deadline";

/** Lets a limited number of pieces of work run at a time, first come, first served. */
export class Slots {
    #free: number;
    readonly #waiting: (() => void)[] = [];

    constructor(size: number) {
        this.#free = size;
    }

    /**
     * Settles when there is a place. Each place taken has to be given back.
     * @throws what `late` makes, when there is none for so long
     */
    async take(seconds: number, late: () => Error): Promise<void> {
        if (this.#free > 0) {
            this.#free -= 1;
            return;
        }
        let enter = (): void => {};
        const turn = new Promise<void>((resolve) => (enter = resolve));
        this.#waiting.push(enter);
        await within(seconds, turn, () => {
            this.#waiting.splice(this.#waiting.indexOf(enter), 1);
            return late();
        });
    }

    giveBack(): void {
        const next = this.#waiting.shift();
        if (next === undefined) this.#free += 1;
        else next();
    }
}
