import assert from "node:assert/strict";

import { DeathCourse, type Death } from "../../faults/deathCourse";

/** Steps that have so many effects each; `isLate` where their effects are only noticed when they are told. */
function follow(course: DeathCourse, effects: readonly number[], isLate = (): boolean => false): readonly string[] {
    const moments: string[] = [];
    while (!course.hasEnded) {
        const { number, effect } = course;
        course.died(deathAt(effects, number, effect, isLate()));
        moments.push(`${number}.${effect}`);
    }
    return moments;
}

function deathAt(effects: readonly number[], number: number, effect: number, isLate: boolean): Death {
    if (number === 0) return "when it had the lock";
    const count = effects[number - 1];
    if (count === undefined) return "at its end";
    return effect <= count && !isLate ? "unheard" : "when it was told";
}

describe("the moments that a run is killed at", () => {
    it("are the lock, the first effects of each step, and when each was told", () => {
        const course = new DeathCourse("two steps", 2);
        assert.deepEqual(follow(course, [3, 1]), ["0.1", "1.1", "1.2", "1.Infinity", "2.1", "2.2", "3.1"]);
        course.assertEnumerated();
    });

    it("are tried again when they were seen too late", () => {
        const course = new DeathCourse("one step", 1);
        let looks = 0;
        follow(course, [1], () => (looks += 1) === 2);
        course.assertEnumerated();
    });

    it("are fewer than the plan's to no avail: fewer steps, or one whose effect was never noticed, fail", () => {
        const short = new DeathCourse("short", 3);
        follow(short, [1, 1]);
        assert.throws(() => short.assertEnumerated(), /steps that were told, and those of the plan/);
        const late = new DeathCourse("late", 1);
        follow(late, [1], () => true);
        assert.throws(() => late.assertEnumerated(), /steps whose effect was always heard of/);
    });

    it("are no more than the plan's", () => {
        assert.throws(() => follow(new DeathCourse("long", 1), [1, 1, 1]), /more steps than the plan's 1/);
    });
});
