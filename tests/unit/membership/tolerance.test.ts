import assert from "node:assert/strict";

import { deviations, shown } from "../../../components/membership/deviations";
import { desiredOf } from "../../../components/membership/inputs";
import { wholePlan, type Plan } from "../../../components/membership/plan";
import { riskOf, toleranceOf, wayOf } from "../../../components/membership/tolerance";
import type { Desired } from "../../../components/membership/types";
import { Lab } from "./model/lab";
import { Machine } from "./model/machine";
import { observe } from "./model/observe";
import { Random } from "./model/random";
import { inputsOf, type State } from "./model/program";
import { up } from "./model/run";

/** A cluster of the model that is up, what befalls it, and what would be done about it. */
class World {
    readonly lab: Lab;
    private state: State = {};

    constructor(private names: string) {
        const machines = [..."abcde"].map((name, index) => new Machine(name, `10.0.0.${index + 1}`));
        this.lab = new Lab(machines, new Random(1));
        this.revise();
        const { state, error } = up(this.lab, this.program(), this.state);
        assert.equal(error, undefined);
        this.state = state;
        this.lab.advance(10_000);
    }

    revise(): void {
        this.lab.revisions.push({ health: "fine", maxLearners: 2 });
    }

    machine(name: string): Machine {
        return this.lab.machines.find((machine) => machine.name === name)!;
    }

    /** @returns what is told for each step that risks anything, and the way as a whole */
    plan(names = this.names): { plan: Plan; risks: readonly string[]; way: string | undefined } {
        this.names = names;
        const inputs = inputsOf(this.lab, this.program());
        const wanted: Desired = desiredOf(this.state, inputs);
        const plan = wholePlan(observe(this.lab, wanted), wanted);
        const risks = plan.steps.flatMap((step, index) => {
            const risk = riskOf(plan.worlds[index]!, wanted, step);
            return risk === undefined ? [] : [`${step.kind} ${"host" in step ? step.host : ""}: ${risk}`];
        });
        return { plan, risks, way: wayOf(plan.worlds.map((world) => toleranceOf(world, wanted))) };
    }

    private program() {
        const revision = this.lab.revisions.length - 1;
        return { machines: [...this.names].map((name) => this.machine(name)), revision, allowEvenSize: false };
    }
}

describe("what a step risks", () => {
    it("is told as growth goes: two voters survive no more than one does", () => {
        const { risks, way } = new World("a").plan("abc");
        assert.deepEqual(risks, [
            "promote b: survives the loss of 0 of 1 → 0 of 2",
            "promote c: survives the loss of 0 of 2 → 1 of 3",
        ]);
        assert.equal(way, "0 of 1 → 0 of 2 → 1 of 3");
    });

    it("is told for a host that was rebuilt: the way leads through two voters, and back", () => {
        const world = new World("abc");
        world.machine("c").rebuild();
        world.lab.advance(10_000);
        assert.equal(world.plan().way, "0 of 3 → 0 of 2 → 1 of 3");
    });

    it("is told for the time of a restart", () => {
        const world = new World("abc");
        world.revise();
        const { risks, way } = world.plan();
        assert.equal(risks.length, 3);
        for (const risk of risks)
            assert.match(risk, /^restart \w: survives the loss of 1 of 3 → 0 of 3 while it restarts, then 1 of 3$/);
        assert.equal(way, undefined, "between the steps it stays as it is");
    });

    it("is told as an outage where there is no other member", () => {
        const world = new World("a");
        world.revise();
        assert.deepEqual(world.plan().risks, ["restart a: no quorum, and no writes, until it is back"]);
    });

    it("is told for members that go", () => {
        assert.equal(new World("abc").plan("a").way, "1 of 3 → 0 of 2 → 0 of 1");
    });
});

describe("a plan that was shown", () => {
    it("is the plan that is followed while nothing changes", () => {
        const { plan } = new World("a").plan("abc");
        assert.deepEqual(deviations(shown(plan), plan), []);
    });

    it("differs by a step that was not in it, and by one that is not needed any more", () => {
        const world = new World("abc");
        const before = shown(world.plan("a").plan);
        const now = world.plan("abc");
        assert.deepEqual(now.plan.steps, []);
        const gone = deviations(before, now.plan);
        assert.ok(gone.length > 0);
        for (const line of gone) assert.match(line, /^in the preview, and not needed now: /);
        assert.ok(gone.some((line) => line.includes(`retire "b"`)));

        world.revise();
        const come = deviations({ steps: [] }, world.plan().plan);
        assert.ok(come.some((line) => /^not in the preview: restart "a" with generation \S+: it runs /.test(line)));
    });

    it("that was cut short says nothing about what comes after", () => {
        const { plan } = new World("a").plan("abc");
        const [line, ...others] = deviations({ steps: [], refusal: "host is away" }, plan);
        assert.equal(line, "the preview foresaw a stop, and now there is none: host is away");
        assert.deepEqual(others, []);
    });
});
