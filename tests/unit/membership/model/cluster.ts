import assert from "node:assert/strict";

import { desiredOf } from "../../../../components/membership/inputs";
import { nextStep, wholePlan } from "../../../../components/membership/plan";
import type { Desired, Observation } from "../../../../components/membership/types";
import { Lab } from "./lab";
import { Machine, type Health } from "./machine";
import { voters } from "./raft";
import { observe } from "./observe";
import { Random } from "./random";
import { inputsOf, type State } from "./program";
import { Died, up } from "./run";

/** A cluster of the model, whose list is edited and brought up as a user would. */
export class Cluster {
    readonly lab: Lab;
    allowEvenSize = false;
    private state: State = {};

    constructor(
        names: string,
        private readonly maxLearners = 2,
        seed = 1,
    ) {
        const machines = [...names].map((name, index) => new Machine(name, `10.0.0.${index + 1}`));
        this.lab = new Lab(machines, new Random(seed));
        this.revise();
    }

    /** The same settings again, or others: a generation of its own. */
    revise(health: Health = "fine"): void {
        this.lab.revisions.push({ health, maxLearners: this.maxLearners });
    }

    /** Its member is to serve its peers at another port from now on. */
    move(name: string, peerPort: number): void {
        this.machine(name).peerPort = peerPort;
    }

    /** The same machine is declared at another address from now on. It has both, if it does not lose the one before. */
    readdress(name: string, address: string, isMoved = false): void {
        const machine = this.machine(name);
        const { everHad, addresses } = machine;
        Object.assign(machine, {
            address,
            everHad: [...everHad, address],
            addresses: isMoved ? [address] : [...addresses, address],
        });
        if (isMoved) this.lab.network.cut(machine);
    }

    /** A run that ends when all files are laid down, and before anything else is done. */
    stage(names: string): void {
        const { error } = this.up(names, () => {
            throw new Died();
        });
        assert.equal(error, "died");
    }

    /** Its etcd is started anew, by nobody's plan. */
    restart(name: string): void {
        this.lab.start(this.machine(name));
        this.lab.advance(3000);
    }

    machine(name: string): Machine {
        return this.lab.machines.find((machine) => machine.name === name)!;
    }

    /** It was given the last revision by other means than a run. */
    giveLast(name: string): void {
        const machine = this.machine(name);
        const generation = machine.generation(this.lab.revisions.length - 1);
        Object.assign(machine, { staged: generation, current: generation, certified: machine.address });
        this.lab.start(machine);
    }

    private program(names: string) {
        const machines = [...names].map((name) => this.machine(name));
        return { machines, revision: this.lab.revisions.length - 1, allowEvenSize: this.allowEvenSize };
    }

    /** @returns the kinds of the steps that were taken, and for whom */
    up(
        names: string,
        meanwhile?: () => void,
    ): { readonly steps: readonly string[]; readonly error: string | undefined } {
        this.lab.advance(10_000);
        const { state, error, steps } = up(this.lab, this.program(names), this.state, meanwhile);
        this.state = state;
        const subject = (step: (typeof steps)[number]): string =>
            "host" in step ? step.host : "hosts" in step ? step.hosts.join("") : "name" in step ? step.name : step.to;
        return { steps: steps.map((step) => `${step.kind} ${subject(step)}`), error };
    }

    mustUp(names: string): readonly string[] {
        const { steps, error } = this.up(names);
        assert.equal(error, undefined);
        return steps;
    }

    /** @param change what is seen besides */
    foresee(
        names: string,
        change = (seen: Observation): Observation => seen,
    ): {
        readonly seen: Observation;
        readonly wanted: Desired;
        readonly kinds: readonly string[];
        readonly refusal: string | undefined;
        readonly verdict: string;
    } {
        const wanted = desiredOf(this.state, inputsOf(this.lab, this.program(names)));
        const seen = change(observe(this.lab, wanted));
        const { steps, refusal } = wholePlan(seen, wanted);
        const { verdict } = nextStep(seen, wanted);
        assert.equal(verdict === "done", steps.length === 0 && refusal === undefined);
        return { seen, wanted, kinds: steps.map(({ kind }) => kind), refusal, verdict };
    }

    /** What runs on a host. */
    generationOf(name: string): string | undefined {
        return this.machine(name).service?.generation;
    }

    isReady(name: string): boolean {
        return this.machine(name).service?.isReady === true;
    }

    get voters(): string {
        return voters(this.lab.clusters[0]!)
            .map(({ name }) => name)
            .sort()
            .join("");
    }
}

/** A cluster of the model that is up on some of its hosts. */
export function grown(names: string, to: string, maxLearners = 2): Cluster {
    const cluster = new Cluster(names, maxLearners);
    cluster.mustUp(to);
    return cluster;
}
