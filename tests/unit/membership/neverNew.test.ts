import assert from "node:assert/strict";

import { lots, memories, Past, type Fate, type Memory } from "./model/past";
import { quorum, voters } from "./model/raft";
import { up } from "./model/run";

const founds = (steps: readonly string[]): boolean => steps.some((step) => step.startsWith("bootstrap"));

/** What must come of a lot, from nothing but what was lost. */
function judge(lot: readonly Fate[], memory: Memory): void {
    const past = new Past(lot, memory);
    const { lab, program } = past;
    const { steps, refusal } = past.plan(program);
    const before = past.data;
    const withData = lot.filter((fate) => fate === "fine" || fate === "stopped").length;
    if (lot.includes("dead")) {
        assert.deepEqual(steps, [], "something is planned while a declared host can't be seen");
        assert.match(refusal ?? "", /can't be reached/);
        return;
    }
    if (withData === 0 && memory !== "kept" && lot.every((fate) => fate === "rebuilt")) {
        assert.ok(founds(steps), "nothing is left and nothing is remembered: it is a first run like any other");
        return;
    }
    assert.ok(!founds(steps), steps.join("; "));
    const { error } = up(lab, program, past.state);
    assert.equal(lab.clusters.length, 1);
    if (withData < quorum(lot.length)) {
        assert.notEqual(error, undefined);
        assert.deepEqual(past.data, before, "a cluster without a quorum was touched");
        return;
    }
    assert.equal(error, undefined);
    const [cluster] = lab.clusters;
    const names = program.machines.map(({ name }) => name);
    assert.deepEqual(
        voters(cluster!)
            .map(({ name }) => name)
            .sort(),
        names,
    );
    assert.ok(lab.raft.answersClients(cluster!));
}

/** The same past, and other hosts are declared instead of all that it had. */
function judgeOthers(lot: readonly Fate[], memory: Memory): void {
    const past = new Past(lot, memory);
    const { steps } = past.plan(past.others);
    const isForgotten = memory === "lost" || (memory !== "kept" && lot.every((fate) => fate === "rebuilt"));
    assert.equal(founds(steps), isForgotten, steps.join("; "));
}

describe("no cluster is founded over one that existed", () => {
    for (const size of [1, 3, 5]) {
        const each = (judgeOne: (lot: readonly Fate[], memory: Memory) => void): void => {
            for (const memory of memories) {
                for (const lot of lots(size)) {
                    try {
                        judgeOne(lot, memory);
                    } catch (error) {
                        throw new Error(`state ${memory}, hosts ${lot.join(", ")}`, { cause: error });
                    }
                }
            }
        };

        it(`whatever of ${size} and of the state is lost: it heals with a quorum, and is left alone without one`, () => {
            assert.equal(lots(size).length, size === 5 ? 126 : 5 ** size);
            each(judge);
        });

        it(`when none of ${size} is declared any more, unless nothing is known or left of them`, () => {
            each(judgeOthers);
        });
    }
});
