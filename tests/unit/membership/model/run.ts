/** One `pulumi up` against the model: stage, observe, plan, act, and what is kept in state at the end. */
import { clusterIdToKeep } from "../../../../components/membership/clusterId";
import { desiredOf, retiredHosts } from "../../../../components/membership/inputs";
import { passing } from "../../../../components/membership/outcome";
import { describe, nextStep, otherHalf } from "../../../../components/membership/plan";
import type { Desired, Observation, Step, Wait } from "../../../../components/membership/types";
import { Actor } from "./act";
import { withoutTwins } from "../../../../components/membership/twins";
import { EtcdRefusal } from "./etcd";
import { judgeStep, QuorumWatch } from "./guards";
import { ScriptFailed, Violation } from "./errors";
import type { Lab } from "./lab";
import { machineAt, observe, refresh } from "./observe";
import { adopt } from "./preflight";
import { inputsOf, stage, type Program, type State } from "./program";

/** The process is gone, and nothing of what it knew. */
export class Died extends Error {
    override readonly name = "Died";
}

/** What else happens while a run works: called before every effect and every look. */
export type Meanwhile = () => void;

export interface Outcome {
    readonly state: State;
    /** Undefined when all is as declared. */
    readonly error: string | undefined;
    readonly steps: readonly Step[];
}

/** Called with each step that was taken, and what was seen before it. */
export type OnStep = (seen: Observation, step: Step, wanted: Desired) => void;

/** An answer that means that etcd was not in a state to answer, besides none. */
const UNAVAILABLE = "unavailable";

const ATTEMPTS = 3;

/** Between two looks of one wait, in milliseconds. */
const LONGEST_PAUSE = 4000;

export function up(
    lab: Lab,
    program: Program,
    state: State,
    meanwhile: Meanwhile = () => {},
    onStep?: OnStep,
): Outcome {
    const { adoption } = program;
    const problem = adoption && adopt(lab, program.machines, inputsOf(lab, program), adoption);
    if (problem) return { state, error: problem, steps: [] };
    const news = inputsOf(lab, program);
    const unstaged = stage(lab, program);
    if (unstaged) return { state, error: unstaged, steps: [] };
    const run = new Run(lab, desiredOf(state, news), state.clusterId, meanwhile, onStep);
    try {
        run.toTheEnd();
        const { clusterId } = run;
        return { state: { ...news, ...(clusterId && { clusterId }) }, error: undefined, steps: run.steps };
    } catch (error) {
        if (error instanceof Died) return { state, error: "died", steps: run.steps };
        if (!(error instanceof Stopped || error instanceof ScriptFailed || error instanceof EtcdRefusal)) throw error;
        const kept = {
            ...news,
            retired: retiredHosts(state, news),
            ...(run.clusterId && { clusterId: run.clusterId }),
        };
        return { state: kept, error: error.message, steps: run.steps };
    }
}

/** The run ends with an error of its own. */
class Stopped extends Error {}

class Run {
    readonly steps: Step[] = [];
    private readonly times = new Map<string, number>();
    /** Until when etcd may refuse a step. */
    private readonly refused = new Map<string, number>();
    private faultsSeen = 0;

    constructor(
        private readonly lab: Lab,
        private wanted: Desired,
        public clusterId: string | undefined,
        private readonly meanwhile: Meanwhile,
        private readonly onStep: OnStep | undefined,
    ) {}

    toTheEnd(): void {
        const first = withoutTwins(
            this.wanted,
            this.look(() => observe(this.lab, this.wanted)),
        );
        this.wanted = first.wanted;
        let { seen } = first;
        for (;;) {
            const verdict = nextStep(seen, this.wanted);
            switch (verdict.verdict) {
                case "done":
                    return;
                case "refuse":
                    throw new Stopped(verdict.error);
                case "step":
                    seen = this.changedMeanwhile(seen, verdict.step) ?? this.take(seen, verdict.step);
                    break;
                case "wait":
                    seen = this.wait(seen, verdict);
            }
        }
    }

    private look(eye: () => Observation): Observation {
        this.meanwhile();
        this.faultsSeen = this.lab.faults;
        this.lab.advance(20);
        const seen = eye();
        this.clusterId = clusterIdToKeep({ seen, wanted: this.wanted }, this.clusterId);
        return seen;
    }

    private refresh(seen: Observation, hosts: readonly string[]): Observation {
        return this.look(() => refresh(this.lab, this.wanted, seen, hosts));
    }

    private changedMeanwhile(seen: Observation, step: Step): Observation | undefined {
        if (step.kind !== "restart" || seen.hosts[step.host]?.unit !== "activating") return undefined;
        const now = this.refresh(seen, [step.host]);
        const verdict = nextStep(now, this.wanted);
        const isStillRight = verdict.verdict === "step" && describe(verdict.step) === describe(step);
        return isStillRight ? undefined : now;
    }

    private take(first: Observation, step: Step, isLastResort = false): Observation {
        const name = describe(step);
        const times = this.times.get(name) ?? 0;
        if (times >= ATTEMPTS) throw new Stopped(`"${name}" was done ${ATTEMPTS} times and did not last`);
        const patience =
            step.kind === "promote" ? this.wanted.timeouts.syncSeconds : this.wanted.timeouts.changeSeconds;
        const deadline = this.refused.get(name) ?? this.lab.now + patience * 1000;
        let seen = first;
        for (let pause = 500; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
            const hosts = this.act(seen, step, isLastResort);
            if (typeof hosts === "object") {
                this.lab.tell(name);
                this.refused.clear();
                this.times.set(name, times + 1);
                this.steps.push(step);
                const after = this.refresh(seen, hosts);
                this.onStep?.(seen, step, this.wanted);
                return after;
            }
            this.refused.set(name, deadline);
            if (this.lab.now > deadline) throw new Stopped(`${name}: etcd still refuses it`);
            this.lab.advance(pause);
            seen = this.refresh(seen, hosts === "unanswered" ? Object.keys(seen.hosts) : []);
            if (hosts === "unanswered" && !seen.cluster) continue;
            const verdict = nextStep(seen, this.wanted);
            if (verdict.verdict !== "step" || describe(verdict.step) !== name) return seen;
        }
    }

    /** @returns the hosts to look at again, or that etcd asks to come back later, or gives no answer */
    private act(seen: Observation, step: Step, isLastResort: boolean): readonly string[] | "refused" | "unanswered" {
        this.guarded(() => judgeStep(this.lab, this.wanted, seen, step));
        try {
            const {
                effects,
                hosts,
                awaits,
                ready = [],
                failed = [],
            } = new Actor(this.lab, this.wanted, seen).take(step);
            const all = (some: typeof effects): void => {
                for (const effect of some) {
                    this.meanwhile();
                    const watch = new QuorumWatch(this.lab, step, isLastResort, this.wanted.restore?.replaces);
                    effect();
                    this.guarded(() => watch.check());
                }
            };
            all(effects);
            if (awaits !== undefined) this.untilReady(awaits, () => all(failed));
            all(ready);
            this.meanwhile();
            return hosts;
        } catch (error) {
            if (error instanceof Violation && this.lab.faults > this.faultsSeen) throw new Stopped(error.message);
            if (!(error instanceof EtcdRefusal)) throw error;
            if (passing.has(error.code)) return "refused";
            if (error.code === "timeout") return "unanswered";
            if (error.code !== UNAVAILABLE)
                this.guarded(() => {
                    throw new Violation(`etcd refuses for good: ${describe(step)}: ${error.message}`);
                });
            throw error;
        }
    }

    /** A fault that came after the last look excuses what could not be known. */
    private guarded(check: () => void): void {
        try {
            check();
        } catch (error) {
            if (error instanceof Violation && this.lab.faults > this.faultsSeen) return;
            throw error;
        }
    }

    private untilReady(key: string, otherwise: () => void): void {
        const machine = machineAt(this.lab, this.wanted, key);
        const deadline = this.lab.now + this.wanted.timeouts.healthSeconds * 1000;
        while (!machine.service?.isReady) {
            if (this.lab.now > deadline) {
                otherwise();
                throw new ScriptFailed(`${key}: etcd is not ready`);
            }
            this.meanwhile();
            this.lab.advance(500);
        }
    }

    private wait(first: Observation, wait: Wait): Observation {
        const deadline = this.lab.now + wait.deadlineSeconds * 1000;
        let seen = first;
        for (let pause = 40; ; pause = Math.min(pause * 4, LONGEST_PAUSE)) {
            this.lab.advance(pause);
            seen = this.refresh(seen, wait.hosts);
            const verdict = nextStep(seen, this.wanted);
            if (verdict.verdict !== "wait" || verdict.until !== wait.until) return seen;
            if (this.lab.now <= deadline) continue;
            const now = wait.otherwise && this.take(seen, wait.otherwise, true);
            const half = now && otherHalf(wait, nextStep(now, this.wanted));
            if (half) this.take(now, half, true);
            throw new Stopped(
                `waited ${wait.deadlineSeconds} s, but not until ${wait.until}; ${wait.remedy ?? "nothing helps"}`,
            );
        }
    }
}
