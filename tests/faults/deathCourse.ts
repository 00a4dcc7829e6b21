/** The deaths of one change, by enumeration: after the first effects of each step, and when each was told. */
import assert from "node:assert/strict";

/** After so many effects of one step only its being told is waited for: a snapshot and the removal that it is for, say. */
const MOST_EFFECTS = 2;
/** How often the change is made at most. Each time, a run dies about once for each step, and the next one goes on from there. */
const TIMES = 8;

/** How a run ended. */
export type Death = "when it had the lock" | "unheard" | "when it was told" | "at its end";

/** Where a run is to die. */
export interface Moment {
    /** Of the change; 0 is the lock. Undefined where it is not known which one the run begins with. */
    readonly step: number | undefined;
    /** The same, as the run counts its steps. */
    readonly number: number;
    /** Which effect of the step is heard of by nobody; Infinity when the step is to be told. */
    readonly effect: number;
}

/**
 * A change is made again and again. Each time, a run dies at the first moment that is still wanted, the next run goes on from there and
 * dies at the next one, until a run comes to its end. A step that is told says how many are left, and so which one it is; after one that
 * nobody heard of, the next run tells whether all of it was done.
 */
export class DeathCourse {
    deaths = 0;
    private times = 0;
    private hadLock = false;
    /** The step that the next run begins with. */
    private current = 1;
    /** The step that nobody heard of last: the next run begins with it, or with the one after it. */
    private unsure: number | undefined;
    /** The most effects of each step that nobody heard of. */
    private readonly unheard = new Map<number, number>();
    private readonly told = new Set<number>();

    /** @param steps as the preview has them */
    constructor(
        readonly change: string,
        readonly steps: number,
    ) {}

    /** Each step of the plan was died at, both after its effect and when it was told. */
    get isComplete(): boolean {
        return this.missing.length === 0;
    }

    /** The change is made once more. */
    begin(): void {
        this.times += 1;
        assert.ok(
            this.times <= TIMES,
            `${this.change}: made ${TIMES} times, and not died at ${this.missing.join(", ")}`,
        );
        this.current = 1;
        this.unsure = undefined;
    }

    /** Where the next run is to die; undefined if it may come to its end. */
    next(): Moment | undefined {
        if (!this.hadLock) return { step: 0, number: 0, effect: 1 };
        if (this.unsure !== undefined) return { step: undefined, number: 1, effect: Infinity };
        for (let step = this.current; step <= this.steps; step += 1) {
            const effect = this.wanted(step);
            if (effect !== undefined) return { step, number: step - this.current + 1, effect };
        }
        return undefined;
    }

    /** @param left how many steps the run had before it when it died, if it told any */
    died({ step, effect }: Moment, death: Death, left: number | undefined): void {
        const isOver = death === "at its end";
        if (!isOver) this.count();
        if (death === "when it had the lock") this.hadLock = true;
        if (death === "unheard") {
            this.unheard.set(step!, effect);
            this.unsure = step;
            return;
        }
        const last = this.steps - (left ?? 0);
        // All of it was done, if the next run began with the next step.
        if (this.unsure !== undefined && (isOver || this.unsure < last)) this.exhaust(this.unsure);
        this.unsure = undefined;
        if (death !== "when it was told") return;
        // It was told before it had another effect.
        if (step === last && effect !== Infinity && this.unheard.has(step)) this.exhaust(step);
        this.told.add(last);
        this.current = last + 1;
    }

    private count(): void {
        this.deaths += 1;
        const most = TIMES * (1 + this.steps * (MOST_EFFECTS + 1));
        assert.ok(
            this.deaths <= most,
            `${this.change}: ${this.deaths} deaths, and not died at ${this.missing.join(", ")}`,
        );
    }

    private exhaust(step: number): void {
        this.unheard.set(step, MOST_EFFECTS);
    }

    /** After how many effects; Infinity when it is told; undefined if there is nothing left to die at. */
    private wanted(step: number): number | undefined {
        const effects = this.unheard.get(step) ?? 0;
        if (effects < MOST_EFFECTS) return effects + 1;
        return this.told.has(step) ? undefined : Infinity;
    }

    private get missing(): readonly string[] {
        const steps = Array.from({ length: this.steps }, (_, index) => index + 1);
        return steps.flatMap((step) => {
            const wanted = this.wanted(step);
            return wanted === undefined ? [] : [wanted === Infinity ? `${step} told` : `${step} unheard`];
        });
    }
}
