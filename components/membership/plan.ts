/** The policy: an ordered list of rules. The first that has something to say wins. Could be printed in the manual. */
import type { Action, Observation, Desired, Rule, Step, Verdict, World } from "./types";
import { predict } from "./predict";
import { activate, addLearner, awaitLearner, join, letIn, promote } from "./rules/admit";
import { bootstrap, lostQuorum, restartStopped } from "./rules/bootstrap";
import { flip, illVoter, lostData, settle, startStopped } from "./rules/heal";
import { record, rollingRestart, shutOut } from "./rules/restart";
import { removeDead, removeRetired, retire } from "./rules/shrink";
import { evenSize, foreignMember, otherCluster, unreachableHost } from "./rules/stop";

/** First what must stop us, then what heals, then what grows, then what shrinks, then what restarts. */
export const rules: readonly Rule[] = [
    evenSize,
    unreachableHost,
    otherCluster,
    foreignMember,
    bootstrap,
    restartStopped,
    lostQuorum,
    flip,
    startStopped,
    lostData,
    illVoter,
    removeDead,
    letIn,
    activate,
    addLearner,
    join,
    promote,
    awaitLearner,
    settle,
    removeRetired,
    rollingRestart,
    shutOut,
    record,
    retire,
];

/** What changes who votes, or stops somebody who does. None of these is taken while an alarm is raised. */
const risky: ReadonlySet<Action["kind"]> = new Set(["add-learner", "promote", "move-leader", "remove", "restart"]);

/** The next step from what is seen to what is wanted, or why there is none. */
export function nextStep(seen: Observation, wanted: Desired): Verdict {
    const world: World = { seen, wanted };
    for (const rule of rules) {
        const verdict = rule(world);
        if (verdict) return refusedByAlarm(world, verdict) ?? verdict;
    }
    return { verdict: "done" };
}

function refusedByAlarm({ seen }: World, verdict: Verdict): Verdict | undefined {
    if (verdict.verdict !== "step" || !risky.has(verdict.step.kind)) return undefined;
    const [alarm] = seen.cluster?.alarms ?? [];
    if (!alarm) return undefined;
    return {
        verdict: "refuse",
        error: `member ${alarm.memberId} has raised the alarm ${alarm.alarm}, so "${describe(verdict.step)}" is not done; clear its cause, then: etcdctl alarm disarm`,
    };
}

/** What a run would do, as far as it can be foreseen. */
export interface Plan {
    readonly steps: readonly Step[];
    /** Why the plan ends before all is as wanted. */
    readonly refusal: string | undefined;
}

/** More steps than any plan needs; a plan that reaches it does not end, which is a defect. */
const STEP_LIMIT = 1000;

/** The whole plan: each step's predicted outcome is what the next one starts from. Waits are taken to succeed. */
export function wholePlan(seen: Observation, wanted: Desired): Plan {
    const steps: Step[] = [];
    let world = seen;
    while (steps.length < STEP_LIMIT) {
        const verdict = nextStep(world, wanted);
        switch (verdict.verdict) {
            case "done":
                return { steps, refusal: undefined };
            case "refuse":
                return { steps, refusal: verdict.error };
            case "wait": {
                const answered = predict.waited(world, wanted, verdict.hosts);
                if (answered === world) return { steps, refusal: undefined };
                world = answered;
                break;
            }
            case "step":
                steps.push(verdict.step);
                world = predict.step(world, wanted, verdict.step);
        }
    }
    throw new Error(`the plan does not end: ${steps.slice(-4).map(describe).join("; ")}`);
}

/** A step in the operator's words. */
export function describe(step: Action): string {
    switch (step.kind) {
        case "bootstrap":
            return `bootstrap a cluster of one on "${step.host}"`;
        case "let-in":
            return `let ${step.addresses.join(", ")} in to the peer port on ${step.hosts.join(", ")}`;
        case "activate":
            return `put the staged generation in place on ${step.hosts.join(", ")}`;
        case "add-learner":
            return `add "${step.host}" as a learner (${step.peerUrl})`;
        case "join":
            return `start "${step.host}", which joins`;
        case "start":
            return `start "${step.host}"`;
        case "promote":
            return `promote "${step.host}" to voter`;
        case "move-leader":
            return `move the lead from "${step.from}" to "${step.to}"`;
        case "remove":
            return `${step.snapshotOn ? `take a snapshot on "${step.snapshotOn}", then ` : ""}remove member "${step.name}" (${step.memberId})`;
        case "set-aside":
            return `stop etcd on "${step.host}" and move its data aside`;
        case "retire":
            return `retire "${step.host}": stop etcd, move its data aside, remove our files`;
        case "record":
            return `write the member list, as existing, on ${step.hosts.join(", ")}`;
        case "restart":
            return `restart "${step.host}" with generation ${step.generation.slice(0, 8)}`;
    }
}
