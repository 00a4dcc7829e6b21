import assert from "node:assert/strict";

import { desiredOf } from "../../../components/membership/inputs";
import { describe as told, wholePlan } from "../../../components/membership/plan";
import { showPlan } from "../../../components/membership/show";
import { observe } from "./model/observe";
import { lots, memories, Past, type Fate, type Memory } from "./model/past";
import { voters } from "./model/raft";
import { inputsOf, type Program, type State } from "./model/program";
import { Died, up } from "./model/run";

const snapshot = "/srv/backup/tools.db";

/** What became of hosts whose cluster begins anew with runs that die. */
const DYING: readonly (readonly Fate[])[] = [
    ["fine", "fine", "fine"],
    ["stopped", "data lost", "fine"],
    ["fine", "dead", "dead"],
    ["data lost", "rebuilt", "dead"],
];
const MOST_DEATHS = 4;

/** A past whose cluster begins anew on those of its hosts that live. */
class Anew extends Past {
    readonly declared: Program;

    constructor(lot: readonly Fate[], memory: Memory, replaces?: string) {
        super(lot, memory);
        const machines = this.program.machines.filter((_, index) => lot[index] !== "dead");
        const restore = { snapshot, replaces: replaces ?? this.lab.clusters[0]!.id };
        this.declared = { ...this.program, machines, allowEvenSize: true, restore };
    }

    /** One cluster only is left, on all that are declared. */
    judge(state: State): void {
        const [old, restored, ...others] = this.lab.clusters;
        assert.deepEqual(others, []);
        assert.ok(this.lab.raft.answersClients(restored!));
        const names = voters(restored!).map(({ name }) => name);
        assert.deepEqual(names.sort(), this.declared.machines.map(({ name }) => name).sort());
        assert.equal(state.clusterId, restored!.id);
        for (const machine of this.declared.machines) {
            assert.notEqual(machine.data?.clusterId, old!.id, `${machine.name} has its old data still`);
            assert.equal(machine.restored, undefined, `${machine.name} has what was restored lying about`);
        }
        const again = up(this.lab, this.declared, state);
        assert.deepEqual([again.error, again.steps], [undefined, []]);
    }
}

type Judge = (lot: readonly Fate[], memory: Memory) => void;

function each(size: number, judge: Judge): void {
    for (const memory of memories) {
        for (const lot of lots(size).filter((fates) => !fates.every((fate) => fate === "dead"))) {
            try {
                judge(lot, memory);
            } catch (error) {
                throw new Error(`state ${memory}, hosts ${lot.join(", ")}`, { cause: error });
            }
        }
    }
}

/** A host that can't be reached, of a run that never saw its cluster: it may hold another one. */
function isUnsure(lot: readonly Fate[], memory: Memory): boolean {
    return memory === "without the cluster" && lot.includes("dead");
}

describe("a cluster that begins anew from a snapshot", () => {
    for (const size of [1, 3]) {
        it(`is restored first, then every old member is stopped, then it is founded and grows, whatever was lost of ${size}`, () => {
            each(size, (lot, memory) => {
                const past = new Anew(lot, memory);
                const foreseen = past.plan(past.declared).steps;
                const { error, state, steps } = up(past.lab, past.declared, past.state);
                const kinds = steps.map(({ kind }) => kind).filter((kind) => kind !== "let-in");
                if (isUnsure(lot, memory)) {
                    assert.match(error ?? "", /may hold/);
                    assert.deepEqual(kinds, []);
                    return;
                }
                assert.equal(error, undefined, past.lab.story.join("\n"));
                const asides = kinds.filter((kind) => kind === "set-aside");
                assert.deepEqual(kinds.slice(0, asides.length + 2), ["restore-snapshot", ...asides, "bootstrap"]);
                assert.deepEqual(steps.map(told), foreseen);
                past.judge(state);
            });
        });
    }

    it("is announced with what it costs", () => {
        const past = new Anew(["fine", "fine", "fine"], "kept");
        const wanted = desiredOf(past.state, inputsOf(past.lab, past.declared));
        const lines: string[] = [];
        showPlan(wholePlan(observe(past.lab, wanted), wanted), wanted, (line) => lines.push(line));
        assert.match(lines[0]!, /restore .* on "a", beside its data directory: .* loses what was written since/);
        assert.match(lines[1]!, /stop etcd on "a" .*: it holds a member of cluster cluster-1, .*nobody is served/);
        assert.match(lines.at(-1)!, /the loss of 1 of 3 → no cluster → 0 of 1 → 0 of 2 → 1 of 3 voters/);
    });

    it("lets a host that was dead, and comes back with its old data, join like any other", () => {
        const past = new Anew(["fine", "dead", "fine"], "kept");
        const first = up(past.lab, past.declared, past.state);
        const b = past.program.machines[1]!;
        past.lab.boot(b);
        past.lab.advance(10_000);
        const all = { ...past.declared, machines: past.program.machines };
        const { error, state, steps } = up(past.lab, all, first.state);
        assert.equal(error, undefined);
        const kinds = steps.map(({ kind }) => kind);
        assert.deepEqual(kinds.slice(0, 2), ["set-aside", "let-in"]);
        assert.ok(!kinds.includes("restore-snapshot") && !kinds.includes("bootstrap"));
        Object.assign(past.declared, all);
        past.judge(state);
    });

    it("is not founded while a host that can't be reached may hold a cluster, when none is named to be replaced", () => {
        const past = new Past(["rebuilt", "rebuilt", "dead"], "without the cluster");
        const machines = past.program.machines.slice(0, 2);
        const { steps, refusal } = past.plan({
            ...past.program,
            machines,
            allowEvenSize: true,
            restore: { snapshot },
        });
        assert.deepEqual(
            steps.filter((step) => /^restore|^bootstrap/.test(step)),
            [],
        );
        assert.match(refusal ?? "", /"c" may hold one that an earlier run began/);
    });

    it("comes to the same end though a run dies before any of its effects, and the next ones as well", () => {
        for (const lot of DYING) {
            let [effects, most] = [0, 0];
            for (let deadline = 0; deadline <= most; deadline += 1) {
                const past = new Anew(lot, "kept");
                let { state } = past;
                for (let deaths = 0, error: string | undefined = "died"; error !== undefined; deaths += 1) {
                    effects = 0;
                    ({ state, error } = up(past.lab, past.declared, state, () => {
                        // Who always dies this early comes to no end.
                        if (effects++ === deadline && deaths < MOST_DEATHS) throw new Died();
                    }));
                    assert.ok(error === undefined || error === "died", `${error}: ${past.lab.story.join("\n")}`);
                    past.lab.advance(10_000);
                    most = Math.max(most, effects);
                }
                past.judge(state);
            }
            assert.ok(most > 30, `${most} effects`);
        }
    });

    it("is not founded, and nothing is restored, while its declaration names another cluster", () => {
        each(3, (lot, memory) => {
            const past = new Anew(lot, memory, "another");
            const isForgotten = past.declared.machines.every(({ identity }) => !identity);
            if (memory !== "kept" && isForgotten && !isUnsure(lot, memory)) return;
            const { steps } = past.plan(past.declared);
            assert.deepEqual(
                steps.filter((step) => /^restore|^bootstrap/.test(step)),
                [],
            );
        });
    });
});
