/** A plan as it was shown, and what is to be done now: where the world went another way. Pure. */
import { describe, type Plan } from "./plan";
import type { Step } from "./types";

/** A plan as the operator saw it. */
export interface ShownPlan {
    readonly steps: readonly string[];
    /** Why it said that it would end before all is as wanted. */
    readonly refusal?: string;
}

/** A step in words that are the same in a preview, which may not know yet what a digest or an id will be. */
export function nameOf(step: Step): string {
    return describe(step)
        .replace(/ with generation \S*$/, "")
        .replace(/ \([^)]*\)$/, "");
}

export function shown({ steps, refusal }: Plan): ShownPlan {
    return { steps: steps.map(nameOf), ...(refusal !== undefined && { refusal }) };
}

/** What differs between a plan that was shown and the one that is followed: a line each. The order alone makes no difference. */
export function deviations(before: ShownPlan, { steps, refusal }: Plan): readonly string[] {
    const left = [...before.steps];
    const unforeseen = steps.filter((step) => !strike(left, step));
    // A plan that was cut short says nothing about what comes after.
    const isCut = before.refusal !== undefined;
    return [
        ...(isCut && refusal !== before.refusal
            ? [`the preview foresaw a stop, and now there is none: ${before.refusal}`]
            : []),
        ...(isCut ? [] : unforeseen.map((step) => `not in the preview: ${describe(step)}: ${step.because}`)),
        ...(refusal === undefined ? left.map((name) => `in the preview, and not needed now: ${name}`) : []),
    ];
}

/** Takes a step off a list of those still to come. @returns false if it is not there */
export function strike(left: string[], step: Step): boolean {
    const index = left.indexOf(nameOf(step));
    if (index < 0) return false;
    left.splice(index, 1);
    return true;
}
