/** The deaths of one change, by enumeration: after the first effects of each step, and when each was told. */
import assert from "node:assert/strict";

/** How often the moment between an effect and its being told is looked for. */
const TRIES = 3;
/** After so many effects of one step only its being told is waited for: a snapshot and the removal that it is for, say. */
const MOST_EFFECTS = 2;

/** How a run ended. */
export type Death = "when it had the lock" | "unheard" | "when it was told" | "at its end";

/** Which death of a change is next: after effect 1, 2, none (when it is told) of step 1, 2, …; step 0 is the lock. */
export class DeathCourse {
    number = 0;
    effect = 1;
    hasEnded = false;
    deaths = 0;
    private tries = 1;
    /** Steps with an effect that nobody heard of. */
    private readonly unheard = new Set<number>();

    constructor(
        readonly change: string,
        /** How many steps the preview promises; 0 as long as it was not asked. */
        public planned = 0,
    ) {}

    /** Goes on to the next moment, or to the same one again if it was seen too late. */
    died(death: Death): void {
        this.hasEnded = death === "at its end";
        if (this.hasEnded) return;
        this.deaths += 1;
        if (death === "unheard") this.unheard.add(this.number);
        const isTold = death === "when it was told";
        if (isTold && this.effect === 1 && this.tries < TRIES) {
            this.tries += 1;
            return;
        }
        const isNext = this.number === 0 || isTold;
        const later = this.effect < MOST_EFFECTS ? this.effect + 1 : Infinity;
        [this.number, this.effect] = isNext ? [this.number + 1, 1] : [this.number, later];
        this.tries = 1;
        assert.ok(this.number <= this.planned + 1, `${this.change}: more steps than the plan's ${this.planned}`);
    }

    /** Each step that the preview names was died at, both after its effect and when it was told. */
    assertEnumerated(): void {
        assert.equal(this.number - 1, this.planned, `${this.change}: steps that were told, and those of the plan`);
        const steps = Array.from({ length: this.planned }, (_, index) => index + 1);
        const missing = steps.filter((step) => !this.unheard.has(step));
        assert.deepEqual(missing, [], `${this.change}: steps whose effect was always heard of`);
        console.log(
            `      ${this.change}: ${this.deaths} deaths; after the effect of each of ${this.planned} steps, and when each was told`,
        );
    }
}
