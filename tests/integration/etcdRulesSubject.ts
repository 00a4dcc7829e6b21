/** What is asked of the simulator's model of etcd, and of real etcd, to compare their answers. */
import type { EtcdErrorCode } from "../../components/remote/errors";
import { Endpoint, EtcdRefusal } from "../unit/membership/model/etcd";
import { Violation } from "../unit/membership/model/errors";
import { Lab } from "../unit/membership/model/lab";
import { Machine } from "../unit/membership/model/machine";
import type { ClusterModel, MemberModel } from "../unit/membership/model/raft";
import { Random } from "../unit/membership/model/random";

/** Etcd's answer to a call; "parts" where each member would answer for itself. */
export type Answer = "ok" | "parts" | EtcdErrorCode;

export interface Subject {
    readonly name: string;
    /** In milliseconds. */
    readonly now: number;
    pass(): Promise<void>;
    /** A first start. @param told the members that it is told of */
    start(name: string, told: string, state: "new" | "existing", maxLearners: number | undefined): void;
    /** With what is there. */
    restart(name: string): void;
    stop(name: string): Promise<void>;
    /** Takes the data of one that is stopped. */
    wipe(name: string): void;
    hasData(name: string): boolean;
    /** Its etcd was started, and runs no more. */
    isOut(name: string): boolean;
    /** It made its name known. */
    isNamed(via: string, name: string): boolean;
    /** The one is connected to the other. */
    hears(via: string, name: string): boolean | Promise<boolean>;
    add(via: string, name: string): Answer;
    /** What the package never does: a voter that was never a learner. */
    addVoter(via: string, name: string): Answer;
    promote(via: string, name: string): Answer;
    remove(via: string, name: string): Answer;
    moveLeader(via: string, name: string): Answer;
    /** Gives a member the peer URL of another. */
    update(via: string, name: string, to: string): Answer;
    /** As that member knows it. */
    list(via: string): readonly string[];
    /** What each of its etcds said last, for a test that fails. */
    account(): string;
    close(): Promise<void>;
}

export class ModelOfEtcd implements Subject {
    readonly name = "the model";
    private readonly lab: Lab;

    constructor(names: string, seed = 1) {
        const machines = [...names].map((name, index) => new Machine(name, `10.0.0.${index + 1}`));
        this.lab = new Lab(machines, new Random(seed));
        for (const machine of machines) machine.peers = machines.map(({ address }) => address);
    }

    get now(): number {
        return this.lab.now;
    }

    pass(): Promise<void> {
        this.lab.advance(50);
        return Promise.resolve();
    }

    start(name: string, told: string, state: "new" | "existing", maxLearners: number | undefined): void {
        this.lab.revisions.push({ health: "fine", maxLearners });
        const urls = [...told].map((other) => `${other}=${this.machine(other).peerUrl}`);
        Object.assign(this.machine(name), {
            hasUnit: true,
            mayStartEmpty: true,
            current: this.machine(name).generation(this.lab.revisions.length - 1),
            told: { initialCluster: urls.join(","), state },
        });
        this.restart(name);
    }

    restart(name: string): void {
        this.lab.start(this.machine(name));
    }

    stop(name: string): Promise<void> {
        this.machine(name).service = undefined;
        return this.pass();
    }

    wipe(name: string): void {
        this.machine(name).data = undefined;
    }

    hasData(name: string): boolean {
        return this.machine(name).data !== undefined;
    }

    isOut(name: string): boolean {
        const { service } = this.machine(name);
        return service === undefined || service.phase === "failing";
    }

    isNamed(_via: string, name: string): boolean {
        return this.lab.clusters.some(({ members }) => members.some((member) => member.name === name));
    }

    hears(via: string, name: string): boolean {
        return this.lab.network.hears(this.machine(via), this.machine(name));
    }

    add(via: string, name: string): Answer {
        return this.ask(via, (endpoint) => endpoint.addLearner(this.machine(name).peerUrl));
    }

    addVoter(_via: string, name: string): Answer {
        this.cluster.members.push(this.lab.newMember(this.machine(name), false));
        return "ok";
    }

    promote(via: string, name: string): Answer {
        return this.ask(via, (endpoint) => endpoint.promote(this.id(name)));
    }

    remove(via: string, name: string): Answer {
        return this.ask(via, (endpoint) => endpoint.remove(this.id(name)));
    }

    moveLeader(via: string, name: string): Answer {
        return this.ask(via, (endpoint) => endpoint.moveLeader(this.id(name)));
    }

    update(via: string, name: string, to: string): Answer {
        return this.ask(via, (endpoint) => endpoint.update(this.id(name), this.machine(to).peerUrl));
    }

    list(): readonly string[] {
        const nameOf = ({ peerUrl }: MemberModel): string =>
            this.lab.machines.find((machine) => machine.peerUrl === peerUrl)!.name;
        return this.cluster.members.map((one) => `${nameOf(one)}${one.isLearner ? " learns" : " votes"}`).sort();
    }

    account(): string {
        return this.lab.machines.map(({ name, service }) => `${name}: ${service?.phase ?? "does not run"}`).join("\n");
    }

    close(): Promise<void> {
        return Promise.resolve();
    }

    private get cluster(): ClusterModel {
        return this.lab.clusters[0]!;
    }

    private machine(name: string): Machine {
        return this.lab.machines.find((machine) => machine.name === name)!;
    }

    private readonly ids = new Map<string, string>();

    private id(name: string): string {
        const member = this.cluster.members.find(({ peerUrl }) => peerUrl === this.machine(name).peerUrl);
        if (member) this.ids.set(name, member.id);
        return this.ids.get(name)!;
    }

    private ask(via: string, call: (endpoint: Endpoint) => void): Answer {
        try {
            call(new Endpoint(this.lab, this.machine(via)));
            return "ok";
        } catch (error) {
            if (error instanceof EtcdRefusal) return error.code;
            if (error instanceof Violation) return "parts";
            throw error;
        }
    }
}

/** Waits, for seconds of the subject's own time. */
export async function until(subject: Subject, what: string, check: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = subject.now + 60_000;
    while (!(await check())) {
        if (subject.now > deadline) {
            throw new Error(`not within 60 s with ${subject.name}: ${what}\n${subject.account()}`);
        }
        await subject.pass();
    }
}

/** Asks again while etcd gives an answer that time heals. @returns what it said before it agreed, each answer once */
export async function insist(subject: Subject, what: string, ask: () => Answer): Promise<readonly Answer[]> {
    const refusals = new Set<Answer>();
    await until(subject, what, () => {
        const answer = ask();
        if (answer !== "ok") refusals.add(answer);
        return answer === "ok";
    });
    return [...refusals];
}

/** A cluster of voters, grown one by one. */
export async function grown(subject: Subject, voters: string, limits: readonly (number | undefined)[]): Promise<void> {
    const [first, ...others] = voters;
    subject.start(first!, first!, "new", limits[0]);
    await until(subject, `${first} answers`, () => subject.isNamed(first!, first!));
    for (const [index, name] of others.entries()) {
        await insist(subject, `add ${name}`, () => subject.add(first!, name));
        subject.start(name, voters.slice(0, index + 2), "existing", limits[index + 1]);
        await until(subject, `${name} is named`, () => {
            // One that asked a member which had not heard of it yet gives up; its unit starts it again.
            if (subject.isOut(name)) subject.restart(name);
            return subject.isNamed(first!, name);
        });
        await insist(subject, `promote ${name}`, () => subject.promote(first!, name));
    }
}
