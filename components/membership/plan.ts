/** The policy: an ordered list of rules. The first that has something to say wins. Could be printed in the manual. */
import type { Action, Member, Observation, Desired, Rule, Step, Verdict, Wait, World } from "./types";
import { predict } from "./predict";
import { members, nameOf, pathsOf, refuse } from "./world";
import { activate, addLearner, awaitLearner, join, letIn, promote } from "./rules/admit";
import { bootstrap, lostQuorum, renewSilent, restartStopped } from "./rules/bootstrap";
import { damagedData, flip, formerData, illVoter, lostData, settle, startStopped } from "./rules/heal";
import {
    leadFromItsPlace,
    noteItsPlace,
    readdress,
    readdressSilent,
    readmitLearner,
    relist,
    twoHomes,
} from "./rules/readdress";
import { endSecuring, securePeers, secureSilent } from "./rules/secure";
import { linkBack, record, rollingRestart, shutOut } from "./rules/restart";
import { replace } from "./rules/restore";
import { removeDead, removeRetired, retire } from "./rules/shrink";
import {
    barredMember,
    evenSize,
    foreignMember,
    otherCluster,
    stoppedByHand,
    twoLists,
    unreachableHost,
} from "./rules/stop";
import { versionSkew } from "./rules/version";

/** First what must stop us, then what heals, then what grows, then what shrinks, then what restarts. */
export const rules: readonly Rule[] = [
    evenSize,
    unreachableHost,
    stoppedByHand,
    replace,
    otherCluster,
    twoLists,
    twoHomes,
    foreignMember,
    versionSkew,
    barredMember,
    letIn,
    bootstrap,
    restartStopped,
    renewSilent,
    lostQuorum,
    flip,
    linkBack,
    formerData,
    noteItsPlace,
    leadFromItsPlace,
    secureSilent,
    relist,
    readdressSilent,
    damagedData,
    startStopped,
    lostData,
    removeDead,
    illVoter,
    readmitLearner,
    endSecuring,
    readdress,
    activate,
    addLearner,
    join,
    promote,
    awaitLearner,
    settle,
    removeRetired,
    securePeers,
    rollingRestart,
    shutOut,
    record,
    retire,
];

/** What changes who votes, or stops somebody who does: not done while an alarm is raised. */
const risky: ReadonlySet<Action["kind"]> = new Set([
    "add-learner",
    "promote",
    "move-leader",
    "remove",
    "restart",
    "update-peer",
    "take-over",
    "secure-peers",
]);

/** What a full database does not forbid: a restart with a larger quota is its remedy. */
const remedies: ReadonlySet<Action["kind"]> = new Set(["move-leader", "restart", "update-peer"]);

/** The next step from what is seen to what is wanted, or why there is none. */
export function nextStep(seen: Observation, wanted: Desired): Verdict {
    const world: World = { seen, wanted };
    for (const rule of rules) {
        const verdict = rule(world);
        if (verdict) return heedingAlarms(world, verdict);
    }
    return { verdict: "done" };
}

/** What makes a last resort whole: a host that does not answer is given its generation in one step, and started with it in the next. */
export function otherHalf({ until, otherwise }: Wait, after: Verdict): Step | undefined {
    if (otherwise?.kind !== "activate" || after.verdict !== "wait" || after.until !== until) return undefined;
    const next = after.otherwise;
    return next?.kind === "start" && otherwise.hosts.includes(next.host) ? next : undefined;
}

/** What an alarm forbids is not done, nor is it a last resort. */
function heedingAlarms(world: World, verdict: Verdict): Verdict {
    if (verdict.verdict === "step") return refusedByAlarm(world, verdict.step) ?? verdict;
    if (verdict.verdict !== "wait" || !verdict.otherwise) return verdict;
    const { otherwise, ...wait } = verdict;
    return refusedByAlarm(world, otherwise) ? wait : verdict;
}

function refusedByAlarm(world: World, step: Step): Verdict | undefined {
    const { kind } = step;
    if (!risky.has(kind)) return undefined;
    const alarms = world.seen.cluster?.alarms ?? [];
    const alarm = alarms.find((raised) => raised.alarm !== "NOSPACE" || !remedies.has(kind));
    if (!alarm) return undefined;
    const member = members(world).find(({ id }) => id === alarm.memberId);
    const name = member ? `"${nameOf(world, member)}"` : alarm.memberId;
    return refuse(
        `member ${name} has raised the alarm ${alarm.alarm}, so "${describe(step)}" is not done; ${causeOf(world, alarm.alarm, member)}, then: etcdctl alarm disarm`,
    );
}

/** What a run would do, as far as it can be foreseen. */
export interface Plan {
    readonly steps: readonly Step[];
    /** The world that each step starts from, as far as it can be foreseen, and the one that all lead to. */
    readonly worlds: readonly Observation[];
    /** Why the plan ends before all is as wanted. */
    readonly refusal: string | undefined;
    /** What has to come true before the first step, or at all: something that is as declared, and does not answer. */
    readonly waitsFor: string | undefined;
}

/** More steps than any plan needs; a plan that reaches it does not end, which is a defect. */
const STEP_LIMIT = 1000;

/** What is to be done about an alarm before it is disarmed. */
function causeOf(world: World, alarm: string, member: Member | undefined): string {
    if (alarm !== "CORRUPT") return "clear its cause";
    if (!member)
        return "nobody knows whose data is wrong: compare them (etcdctl endpoint hashkv --cluster), or begin anew from a snapshot";
    const { unit, dataDir } = pathsOf(world);
    // Disarmed as it is, it would go on with its own data; without any, it joins anew.
    return `its data differs from the others': stop its etcd (systemctl stop ${unit}) and move ${dataDir}/member away`;
}

/** The whole plan: each step's predicted outcome is what the next one starts from. Waits are taken to succeed, where what follows is known. */
export function wholePlan(seen: Observation, wanted: Desired): Plan {
    const steps: Step[] = [];
    const worlds: Observation[] = [];
    let waitsFor: string | undefined;
    let now = seen;
    for (let rounds = 0; rounds < STEP_LIMIT; rounds += 1) {
        const verdict = nextStep(now, wanted);
        switch (verdict.verdict) {
            case "done":
                return { steps, worlds: [...worlds, now], refusal: undefined, waitsFor };
            case "refuse":
                return { steps, worlds: [...worlds, now], refusal: verdict.error, waitsFor };
            case "wait": {
                const after = predict.waited(now, wanted, verdict.hosts);
                if (!after) {
                    const { deadlineSeconds, until, remedy } = verdict;
                    const otherwise = remedy === undefined ? "" : `; if that does not come: ${remedy}`;
                    const refusal = `it waits ${deadlineSeconds} s at most until ${until}, and what follows is not known before${otherwise}`;
                    return { steps, worlds: [...worlds, now], refusal, waitsFor };
                }
                if (steps.length === 0) waitsFor ??= verdict.until;
                now = after;
                break;
            }
            case "step":
                steps.push(verdict.step);
                worlds.push(now);
                now = predict.step(now, wanted, verdict.step);
        }
    }
    throw new Error(`the plan does not end: ${steps.slice(-4).map(describe).join("; ")}`);
}

/** A step in the operator's words. */
export function describe(step: Action): string {
    switch (step.kind) {
        case "restore-snapshot":
            return `restore ${step.snapshot} on "${step.host}", beside its data directory`;
        case "bootstrap":
            return `bootstrap a cluster of one on "${step.host}"${step.snapshot ? ` from ${step.snapshot}` : ""}`;
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
        case "update-peer":
            return `change the peer URL of member "${step.host}" (${step.memberId}) from ${step.from} to ${step.to}`;
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
        case "take-over":
            return `take over "${step.host}": stop ${step.unit} for good, start etcd on its data`;
        case "secure-peers":
            return `restart "${step.host}" with TLS on its peer port`;
        case "restart":
            return `${step.takesSnapshot ? `take a snapshot on "${step.host}", then ` : ""}restart ${step.takesSnapshot ? "it" : `"${step.host}"`} with generation ${step.generation.slice(0, 8)}`;
    }
}
