import assert from "node:assert/strict";

import { DeathCourse, type Moment } from "../../faults/deathCourse";

/** A change whose steps have so many effects each; `isLate` where an effect is only noticed when its step is told. */
class Change {
    /** Steps that were done. What was done of the next one is done again by each run. */
    private done = 0;

    constructor(
        readonly course: DeathCourse,
        private readonly effects: readonly number[],
        private readonly isLate = (): boolean => false,
    ) {}

    /** @returns where the runs died: at which step, and after which effect if nobody heard of it */
    make(): readonly string[] {
        this.done = 0;
        this.course.begin();
        const moments: string[] = [];
        for (let moment = this.course.next(); moment; moment = this.course.next()) {
            const where = this.die(moment);
            moments.push(where);
            if (where === "end") break;
        }
        return moments;
    }

    private die(moment: Moment): string {
        const { course, effects } = this;
        if (moment.step === 0) {
            course.died(moment, "when it had the lock", undefined);
            return "lock";
        }
        const step = this.done + moment.number;
        assert.equal(moment.step ?? step, step);
        const count = effects[step - 1];
        if (count === undefined) {
            course.died(moment, "at its end", undefined);
            return "end";
        }
        if (moment.effect <= count && !this.isLate()) {
            this.done = moment.effect < count ? step - 1 : step;
            course.died(moment, "unheard", moment.number === 1 ? undefined : effects.length - step + 1);
            return `${step}.${moment.effect}`;
        }
        this.done = step;
        course.died(moment, "when it was told", effects.length - step);
        return `${step}`;
    }
}

describe("the moments that a run is killed at", () => {
    it("are after the first effects of each step, and when each was told, in as few goes as can be", () => {
        const change = new Change(new DeathCourse("steps of one effect", 4), [1, 1, 1, 1]);
        assert.deepEqual(change.make(), ["lock", "1.1", "2", "3.1", "4"]);
        assert.ok(!change.course.isComplete);
        assert.deepEqual(change.make(), ["1", "2.1", "3", "4.1", "end"]);
        assert.ok(change.course.isComplete);
        assert.equal(change.course.deaths, 9);
        assert.deepEqual(change.make(), []);
    });

    it("are after two effects of a step that has more, each of which is had again by the next run", () => {
        const change = new Change(new DeathCourse("steps of several effects", 3), [3, 2, 1]);
        assert.deepEqual(change.make(), ["lock", "1.1", "1", "2.1", "2", "3.1", "end"]);
        assert.deepEqual(change.make(), ["1.2", "1", "2.2", "3"]);
        assert.ok(change.course.isComplete);
    });

    it("are tried again when they were seen too late", () => {
        let looks = 0;
        const change = new Change(new DeathCourse("one step", 1), [1], () => (looks += 1) === 1);
        assert.deepEqual(change.make(), ["lock", "1"]);
        assert.deepEqual(change.make(), ["1.1", "end"]);
        assert.ok(change.course.isComplete);
    });

    it("are given up when an effect is never noticed", () => {
        const late = new Change(new DeathCourse("late", 1), [1], () => true);
        assert.throws(() => {
            for (;;) late.make();
        }, /late: made 8 times, and not died at 1 unheard/);
    });

    it("are given up when runs die at a step and none of them gets any further", () => {
        const course = new DeathCourse("stuck", 1);
        course.begin();
        course.died(course.next()!, "when it had the lock", undefined);
        assert.throws(() => {
            for (;;) course.died(course.next()!, "when it was told", 1);
        }, /stuck: \d+ deaths, and not died at 1 unheard/);
    });
});
