import assert from "node:assert/strict";

import { desiredOf } from "../../../components/membership/inputs";
import { describe as told, wholePlan } from "../../../components/membership/plan";
import { Lab } from "./model/lab";
import { Machine } from "./model/machine";
import { quorum, voters } from "./model/raft";
import { observe } from "./model/observe";
import { Random } from "./model/random";
import { inputsOf, type Program, type State } from "./model/program";
import { up } from "./model/run";

/** What became of a host since its cluster was built. */
type Fate = "fine" | "stopped" | "data lost" | "rebuilt" | "dead";
const fates: readonly Fate[] = ["fine", "stopped", "data lost", "rebuilt", "dead"];

/** What became of the state: as it was, gone, or that of a run which ended before the cluster answered it. */
type Memory = "kept" | "lost" | "without the cluster";
const memories: readonly Memory[] = ["kept", "lost", "without the cluster"];

function befall(machine: Machine, fate: Fate): void {
    if (fate === "rebuilt") machine.rebuild();
    if (fate === "data lost") machine.data = undefined;
    if (fate === "dead") machine.isPowered = false;
    if (fate !== "fine") machine.service = undefined;
}

/** Two lists of as many hosts: a cluster on the first, and nothing yet on the others. */
class Past {
    readonly lab: Lab;
    readonly program: Program;
    readonly others: Program;
    readonly state: State;

    constructor(lot: readonly Fate[], memory: Memory) {
        const machines = [...lot, ...lot].map(
            (_, index) => new Machine("abcdefghij"[index]!, `10.0.0.${String(index + 1)}`),
        );
        this.lab = new Lab(machines, new Random(1));
        this.lab.revisions.push({ health: "fine", maxLearners: 2 });
        this.program = { machines: machines.slice(0, lot.length), revision: 0, allowEvenSize: false };
        this.others = { ...this.program, machines: machines.slice(lot.length) };
        const { state, error } = up(this.lab, this.program, {});
        assert.equal(error, undefined);
        this.lab.advance(10_000);
        for (const [index, fate] of lot.entries()) befall(machines[index]!, fate);
        this.lab.advance(3000);
        const { clusterId, ...rest } = state;
        assert.notEqual(clusterId, undefined);
        this.state = memory === "kept" ? state : memory === "lost" ? {} : rest;
    }

    plan(program: Program): { readonly steps: readonly string[]; readonly refusal: string | undefined } {
        const wanted = desiredOf(this.state, inputsOf(this.lab, program));
        const { steps, refusal } = wholePlan(observe(this.lab, wanted), wanted);
        return { steps: steps.map(told), refusal };
    }

    get data(): readonly (string | undefined)[] {
        return this.program.machines.map(({ data }) => data?.memberId);
    }
}

/** All lots of so many hosts; of five, each mixture once. */
function lots(size: number): readonly (readonly Fate[])[] {
    const inOrder = (lot: readonly Fate[]): boolean =>
        lot.every((fate, index) => index === 0 || fates.indexOf(lot[index - 1]!) <= fates.indexOf(fate));
    const all = Array.from({ length: size }).reduce<readonly (readonly Fate[])[]>(
        (shorter) => shorter.flatMap((lot) => fates.map((fate) => [...lot, fate])),
        [[]],
    );
    return size < 5 ? all : all.filter(inOrder);
}

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
