/** A process that lives some lives and tells its parent how they went: `lives.ts FIRST COUNT`. */
import { BrokenPromise, live } from "./simulator";

/** What a process tells when it is done. */
export interface Report {
    readonly lives: number;
    readonly runs: number;
    readonly faults: number;
    readonly deaths: number;
    readonly steps: Readonly<Record<string, number>>;
    /** Broken lives, with all that happened in them. */
    readonly broken: readonly string[];
}

/** So many stories say enough. */
const BROKEN_LIMIT = 5;

function liveAll(first: number, count: number): Report {
    const sum = { lives: 0, runs: 0, faults: 0, deaths: 0 };
    const steps: Record<string, number> = {};
    const broken: string[] = [];
    for (let seed = first; seed < first + count && broken.length < BROKEN_LIMIT; seed += 1) {
        const life = liveOne(seed);
        if (typeof life === "string") {
            broken.push(life);
            continue;
        }
        sum.lives += 1;
        sum.runs += life.runs;
        sum.faults += life.faults;
        sum.deaths += life.deaths;
        for (const [kind, times] of life.steps) steps[kind] = (steps[kind] ?? 0) + times;
    }
    return { ...sum, steps, broken };
}

/** Refusals are errors, and common ones: without their stacks a life takes a third less. One that breaks is lived again, with them. */
function liveOne(seed: number): ReturnType<typeof live> | string {
    const usual = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    try {
        return live(seed);
    } catch {
        Error.stackTraceLimit = usual;
        return storyOf(seed);
    } finally {
        Error.stackTraceLimit = usual;
    }
}

function storyOf(seed: number): string {
    try {
        live(seed);
        return `life ${seed}: broke once, and not again: it depends on more than its seed`;
    } catch (error) {
        return error instanceof BrokenPromise ? error.message : String(error);
    }
}

const [first, count] = process.argv.slice(2).map(Number);
process.send?.(liveAll(first!, count!));
