/** Random lives of a cluster: worlds, edits of its list, faults, and runs that die anywhere. A seed tells the whole story again. */
import type { Step } from "../../../components/membership/types";
import { Edits } from "./model/edits";
import { Faults } from "./model/faults";
import { judge } from "./model/judge";
import { Violation } from "./model/errors";
import { Lab } from "./model/lab";
import { Machine, type Health } from "./model/machine";
import { voters } from "./model/raft";
import { Moves } from "./model/moves";
import { Random } from "./model/random";
import type { Program, State } from "./model/program";
import { Died, up } from "./model/run";
import { foundByHand } from "./model/takeOver";

/** How a life went. */
export interface Life {
    readonly seed: number;
    readonly runs: number;
    /** How often each kind of step was taken. */
    readonly steps: ReadonlyMap<Step["kind"], number>;
    readonly faults: number;
    readonly deaths: number;
}

/** A life that broke a promise, with all that happened in it. */
export class BrokenPromise extends Error {
    override readonly name = "BrokenPromise";

    constructor(seed: number, reason: string, story: readonly string[]) {
        super(`life ${seed}: ${reason}\n${story.join("\n")}`);
    }
}

/** Runs that may fail, after the last fault, before all is as declared: each failure must have brought it nearer. */
const LAST_RUNS = 6;

/** So many have up to four edits, with up to three runs each; all others up to two. */
const LONG = 0.25;

/** Of so many lives, one begins with a cluster that somebody set up by hand. */
const BY_HAND = 16;

/** Of so many lives, one has hosts that get other addresses, unless it begins by hand. */
const MOVING = 8;

/** @throws BrokenPromise */
export function live(seed: number): Life {
    const life = new LifeOf(seed);
    try {
        return life.live();
    } catch (error) {
        if (!(error instanceof Error)) throw error;
        const reason = error instanceof Violation ? error.message : (error.stack ?? error.message);
        throw new BrokenPromise(seed, reason, life.lab.story);
    }
}

class LifeOf {
    readonly lab: Lab;
    private readonly random: Random;
    private readonly edits: Edits;
    private readonly faults: Faults;
    private readonly moves: Moves | undefined;
    private state: State = {};
    private program: Program;
    private runs = 0;
    private readonly steps = new Map<Step["kind"], number>();
    private deaths = 0;
    private hasDied = false;
    /** Who had to make room for another host of its name: what a run that died had begun there is in no state. */
    private displaced: readonly Machine[] = [];
    /** What is to be declared when the take-over is done. */
    private later: readonly Machine[] | undefined;

    constructor(private readonly seed: number) {
        this.random = new Random(seed);
        const names = ["a", "b", "c", "d", "e", "f"];
        const machines = names.map((name, index) => new Machine(name, `10.0.0.${index + 1}`));
        // Two more that have another's name: a host that is replaced keeps its name and changes its address.
        machines.push(new Machine("a", "10.0.0.7"), new Machine("b", "10.0.0.8"));
        this.lab = new Lab(machines, this.random);
        this.lab.revisions.push({ health: "fine", maxLearners: this.random.pick([undefined, 1, 2, 2, 3]) });
        this.edits = new Edits(this.lab, this.random);
        this.program = { machines: this.edits.any(), revision: 0, allowEvenSize: true };
        this.faults = new Faults(this.lab, this.random);
        if (seed % BY_HAND === 0) this.beginByHand();
        else if (seed % MOVING === 0) this.moves = new Moves(this.lab, this.random);
    }

    live(): Life {
        const [mostEdits, mostTries] = this.random.chance(LONG) ? [4, 3] : [2, 2];
        const edits = 1 + this.random.below(mostEdits);
        for (let edit = 0; edit < edits; edit += 1) {
            if (edit > 0) this.edit();
            const tries = 1 + this.random.below(mostTries);
            for (let run = 0; run < tries; run += 1) this.run();
        }
        this.end();
        const { lab, runs, steps, deaths } = this;
        return { seed: this.seed, runs, steps, faults: lab.faults, deaths };
    }

    private get isTakingOver(): boolean {
        return this.lab.machines.some(({ data, hasNote }) => data?.isTheirs || hasNote);
    }

    /** Some members, each with a unit of its own, all declared in some order, to be taken over. */
    private beginByHand(): void {
        const { lab, random } = this;
        const byName = new Map(random.shuffled(lab.machines).map((machine) => [machine.name, machine]));
        const machines = [...byName.values()].slice(0, random.pick([1, 3, 3, 3, 5]));
        lab.revisions[0] = { ...lab.revisions[0]!, isTakingOver: true };
        lab.revisions.push({ health: "fine", maxLearners: undefined, isTheirs: true });
        foundByHand(lab, machines, random.chance(0.5));
        lab.advance(10_000);
        this.program = {
            ...this.program,
            machines: random.shuffled(machines),
            adoption: { isSet: true, inherited: undefined, owner: 1 },
        };
        if (random.chance(0.3)) this.faults.one();
    }

    /** Another list, another generation, or both. */
    private edit(): void {
        const { adoption, machines } = this.program;
        // Before that, nothing tells a host that is to be taken over from one that is not.
        const mayEnd = machines.some(({ isTakenOver }) => isTakenOver);
        if (adoption && mayEnd && this.random.chance(0.2)) return this.setAdopt(!adoption.isSet);
        if (adoption?.isSet === false && this.isTakingOver) return;
        const kind = this.random.below(4);
        if (this.moves && this.random.chance(0.6)) this.moveSome(this.moves);
        else if (kind < 3) this.relist();
        if (kind > 1) this.revise(this.random.pick(["fine", "fine", "crashing", "deaf"] as const));
    }

    /** Takes `adopt` away, or sets it again. Either way hosts are given a generation of its own. */
    private setAdopt(isSet: boolean): void {
        this.program.adoption!.isSet = isSet;
        this.lab.tell(isSet ? "sets adopt" : "takes adopt away");
        this.revise("fine");
    }

    private relist(): void {
        const before = this.program.machines;
        const after = this.random.pick([
            () => this.edits.any(),
            () => this.random.shuffled(before),
            () => this.edits.swapOne(before),
            () => this.edits.replaceAll(before),
            ...(this.isTakingOver ? [] : [() => this.edits.renameOne(before), () => this.edits.moveOne(before)]),
        ])();
        // What a run that died had begun is in no state: whoever edits the list then keeps the hosts that it was to have.
        const kept = before.filter((host) => this.hasDied && !after.some(({ name }) => name === host.name));
        const same = after.map((host) => (this.hasDied && before.find(({ name }) => name === host.name)) || host);
        this.program = { ...this.program, machines: [...same, ...kept] };
        this.tellDeclared();
    }

    private tellDeclared(): void {
        const hosts = this.program.machines.map(({ name, address, peerPort }) => `${name}@${address}:${peerPort}`);
        this.lab.tell(`declares ${hosts.join(" ")}`);
    }

    private moveSome(moves: Moves): void {
        if (!moves.next(this.program.machines)) moves.some(this.program.machines);
        this.tellDeclared();
    }

    private revise(health: Health): void {
        const { maxLearners } = this.lab.revisions[0]!;
        const limit = this.random.chance(0.3) ? this.random.pick([undefined, 1, 2, 3]) : maxLearners;
        const isTakingOver = this.program.adoption?.isSet === true;
        this.lab.revisions.push({ health, maxLearners: limit, ...(isTakingOver && { isTakingOver }) });
        this.program = { ...this.program, revision: this.lab.revisions.length - 1 };
        this.lab.tell(`revision ${this.program.revision}: ${health}, ${limit ?? "one"} learners`);
    }

    private run(): void {
        const troubled = this.random.chance(0.8);
        const faultRate = troubled ? this.random.pick([0, 0.005, 0.03]) : 0;
        const deathRate = troubled ? this.random.pick([0, 0.02, 0.1]) : 0;
        const meanwhile = (): void => {
            if (this.random.chance(faultRate)) this.faults.one();
            if (this.random.chance(faultRate / 2)) this.faults.mendOne();
            if (this.moves && this.random.chance(faultRate / 2)) this.moves.loseOne(this.program.machines);
            if (!this.random.chance(deathRate)) return;
            this.deaths += 1;
            throw new Died();
        };
        const error = this.up(meanwhile);
        if (this.moves?.heed(error, this.program.machines)) this.tellDeclared();
        if (this.random.chance(0.3)) this.faults.one();
        this.lab.advance(this.random.below(20_000));
    }

    private up(meanwhile?: () => void): string | undefined {
        this.runs += 1;
        this.lab.tell(`up ${this.runs}`);
        const { state, error, steps } = up(this.lab, this.program, this.state, meanwhile);
        // A run that ends before it has looked at a host keeps nothing, as one that dies does.
        this.hasDied = error === "died" || (this.hasDied && state === this.state);
        this.state = state;
        for (const { kind } of steps) this.steps.set(kind, (this.steps.get(kind) ?? 0) + 1);
        this.lab.tell(error === undefined ? "done" : `ended: ${error}`);
        return error;
    }

    /** Faults end, what is dead for good is declared no more, and a generation that works is staged. */
    private end(): void {
        this.lab.tell("faults end");
        this.faults.mendAll();
        this.lab.advance(10_000);
        if (this.lab.revisions[this.program.revision]?.health !== "fine") this.revise("fine");
        this.redeclare();
        this.converge();
        if (this.later) {
            const machines = this.later;
            this.program = { ...this.program, machines };
            this.tellDeclared();
            this.converge();
        }
        if (!this.program.adoption?.isSet) return;
        this.setAdopt(false);
        this.converge();
    }

    /** Runs until all is as declared, with an operator who does as told. */
    private converge(): void {
        const errors: (string | undefined)[] = [];
        for (let run = 0; run < LAST_RUNS; run += 1) {
            this.lab.advance(10_000);
            errors.push(this.up());
            if (errors.at(-1) === undefined) {
                this.lab.advance(10_000);
                judge(this.lab, this.program, this.state);
                if (!this.moves?.next(this.program.machines)) return;
                this.tellDeclared();
                return this.converge();
            }
            if (this.moves?.heed(errors.at(-1), this.program.machines)) {
                this.tellDeclared();
                errors.pop();
                run -= 1;
            }
            this.heed(errors.at(-1));
            this.moveBack(errors.at(-1));
            this.heedTakeOver(errors.at(-1));
        }
        throw new Violation(`not as declared after ${LAST_RUNS} undisturbed runs: ${errors.join("; ")}`);
    }

    /** A cluster without a quorum is repaired on the hosts that it is on: they are declared as long as it takes. */
    private redeclare(): void {
        const cluster = this.lab.clusters.find(({ id }) => id === this.state.clusterId) ?? this.lab.clusters[0];
        if (!cluster || this.lab.raft.answersClients(cluster)) return;
        const { machines } = this.program;
        const needed = voters(cluster).flatMap((voter) => this.lab.machineOf(voter) ?? []);
        // Two hosts of one name can't be declared together: one stays as it is.
        const byName = new Map([...machines, ...needed].map((machine) => [machine.name, machine]));
        for (const machine of machines) if (needed.includes(machine)) byName.set(machine.name, machine);
        this.displaced = machines.filter((machine) => byName.get(machine.name) !== machine);
        this.program = { ...this.program, machines: [...byName.values()] };
        this.tellDeclared();
    }

    /** The operator sets `adopt` again, or declares those alone that are to be taken over, until they are. */
    private heedTakeOver(error: string | undefined): void {
        const { adoption, machines } = this.program;
        if (!adoption || error === undefined) return;
        if (!adoption.isSet && /set adopt: true again|is taken by etcd/.test(error)) return this.setAdopt(true);
        if (!/take it off the list|that are not declared|no declared host has a cluster/.test(error)) return;
        const [cluster] = this.lab.clusters;
        const theirs = cluster!.members.flatMap((member) => this.lab.machineOf(member) ?? []);
        this.later ??= machines;
        // Two hosts of one name can't be declared together: the one that joined last is.
        const byName = new Map(theirs.map((machine) => [machine.name, machine]));
        this.program = { ...this.program, machines: [...byName.values()] };
        this.tellDeclared();
    }

    /** The operator declares a member where it was, as told: one whose host has the address still. */
    private moveBack(error: string | undefined): void {
        const told = /declare (?:one of these|this one) where it was \(([^)]*)\)/.exec(error ?? "")?.[1];
        for (const [, name, url] of told?.matchAll(/"(\w+)" at (\S+?)(?=,|$)/g) ?? []) {
            const { hostname, port } = new URL(url!);
            this.declareAgain(name!, hostname);
            const machine = this.program.machines.find((one) => one.name === name);
            if (!machine?.addresses.includes(hostname)) continue;
            this.moves?.postpone(machine);
            Object.assign(machine, { address: hostname, peerPort: Number(port) });
            return this.tellDeclared();
        }
    }

    /** One that is declared no more, until all are well. */
    private declareAgain(name: string, address: string): void {
        const { machines } = this.program;
        const machine = this.lab.machines.find(({ everHad }) => everHad.includes(address));
        if (!machine || machines.some((one) => one.name === name)) return;
        this.later ??= machines;
        this.program = { ...this.program, machines: [...machines, machine] };
    }

    /** The operator does as told with a learner whose host can't be declared, and with a member whose host lost its data and was moved. */
    private heed(error: string | undefined): void {
        const told = /etcdctl member remove (\w+)/.exec(error ?? "")?.[1];
        if (told === undefined) return;
        this.lab.tell(`etcdctl member remove ${told}, if its host had to make room or has lost its data`);
        const learnersAt = this.displaced.map(({ peerUrl }) => peerUrl);
        this.faults.removeAsTold(told, learnersAt);
    }
}
