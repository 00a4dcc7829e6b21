/** A cluster of the model, what became of its hosts, and what is remembered of it. */
import assert from "node:assert/strict";

import { desiredOf } from "../../../../components/membership/inputs";
import { describe as told, wholePlan } from "../../../../components/membership/plan";
import { Lab } from "./lab";
import { Machine } from "./machine";
import { observe } from "./observe";
import { inputsOf, type Program, type State } from "./program";
import { Random } from "./random";
import { up } from "./run";

/** What became of a host since its cluster was built. */
export type Fate = "fine" | "stopped" | "data lost" | "rebuilt" | "dead";
export const fates: readonly Fate[] = ["fine", "stopped", "data lost", "rebuilt", "dead"];

/** What became of the state: as it was, gone, or that of a run which ended before the cluster answered it. */
export type Memory = "kept" | "lost" | "without the cluster";
export const memories: readonly Memory[] = ["kept", "lost", "without the cluster"];

function befall(machine: Machine, fate: Fate): void {
    if (fate === "rebuilt") machine.rebuild();
    if (fate === "data lost") machine.data = undefined;
    if (fate === "dead") machine.isPowered = false;
    if (fate !== "fine") machine.service = undefined;
}

/** Two lists of as many hosts: a cluster on the first, and nothing yet on the others. */
export class Past {
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
export function lots(size: number): readonly (readonly Fate[])[] {
    const inOrder = (lot: readonly Fate[]): boolean =>
        lot.every((fate, index) => index === 0 || fates.indexOf(lot[index - 1]!) <= fates.indexOf(fate));
    const all = Array.from({ length: size }).reduce<readonly (readonly Fate[])[]>(
        (shorter) => shorter.flatMap((lot) => fates.map((fate) => [...lot, fate])),
        [[]],
    );
    return size < 5 ? all : all.filter(inOrder);
}
