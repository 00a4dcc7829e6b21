/** Observe → plan → act one step → observe again, until the plan is empty. */
import { hostPaths } from "../host/paths";
import { act } from "./act";
import { nameOf, strike } from "./deviations";
import { afterLookAt, nextLine } from "../nextCommand";
import { isRemoteError } from "../remote/errors";
import { describeTarget } from "../remote/target";
import { afterRepair, MembershipError, messageOf, withNext } from "./errors";
import type { Observer } from "./observe";
import { LINES_READ, tellingLines } from "./logLines";
import type { Outcome } from "./outcome";
import { Patience } from "./patience";
import { describe, nextStep, otherHalf, wholePlan, type Plan } from "./plan";
import { lastLogLines } from "./lookScripts";
import { riskOf } from "./tolerance";
import type { Desired, Observation, Step, Wait } from "./types";
import { memberOf } from "./world";

/** Where a run tells what it does. */
export type Tell = (line: string) => void;

/** The same step this often without the world following is a defect, or somebody works against us. */
const ATTEMPTS = 3;

/** Of how many hosts the log is shown, and how long each may take to give it. */
const HOSTS_TOLD = 2;
const LOG_SECONDS = 15;

/** What a run tells, and asks, whoever started it. */
export interface Accompany {
    readonly tell: Tell;
    /** Asked before each step, and again in one that takes long. @throws when no step may be taken any more */
    readonly beforeStep: () => void;
    readonly onSeen: (seen: Observation) => void;
}

/**
 * Makes the world as wanted, one step after the other.
 * @returns the last observation
 * @throws MembershipError when a rule refuses, a step fails, or a deadline passes; the next run goes on from there
 */
export async function reconcile(
    observer: Observer,
    wanted: Desired,
    first: Observation,
    plan: Plan,
    accompany: Accompany,
): Promise<Observation> {
    return new Run(observer, wanted, accompany, plan).toTheEnd(first);
}

class Run {
    private readonly began = performance.now();
    /** How often each step was done. */
    private readonly times = new Map<string, number>();
    /** Since when etcd refuses a step, though it may not be the next one all the time. Whatever is done begins this anew. */
    private readonly refused = new Map<string, Patience>();
    /** By condition, since a step was done. */
    private readonly waited = new Map<string, Patience>();
    private taken = 0;
    /** The steps of the plan that are still to come. */
    private left: string[];

    constructor(
        private readonly observer: Observer,
        private readonly wanted: Desired,
        private readonly accompany: Accompany,
        plan: Plan,
    ) {
        this.left = plan.steps.map(nameOf);
    }

    async toTheEnd(first: Observation): Promise<Observation> {
        let seen = first;
        for (;;) {
            this.accompany.onSeen(seen);
            const verdict = nextStep(seen, this.wanted);
            switch (verdict.verdict) {
                case "done":
                    this.left.forEach((name) => this.accompany.tell(`not as planned: there was no need to ${name}`));
                    return seen;
                case "refuse":
                    throw new MembershipError(this.refusal(seen, verdict.error));
                case "step":
                    seen = (await this.changedMeanwhile(seen, verdict.step)) ?? (await this.take(seen, verdict.step));
                    break;
                case "wait":
                    seen = await this.wait(seen, verdict);
            }
        }
    }

    /** A refusal names what is to be done first; where a host is away, the first thing is to see it. */
    private refusal(seen: Observation, error: string): string {
        const away = this.wanted.hosts.find(({ key }) => seen.hosts[key]?.reach.ok === false);
        return withNext(error, afterRepair(away?.ssh));
    }

    /**
     * Who was still starting at the last look may be well by now, and would be restarted for nothing; whom a look has removed may have what
     * it lacked. Undefined if the step is still right.
     */
    private async changedMeanwhile(seen: Observation, step: Step): Promise<Observation | undefined> {
        const hosts = this.doubtful(seen, step);
        if (hosts.length === 0) return undefined;
        const now = await this.observer.refresh(seen, { hosts });
        const verdict = nextStep(now, this.wanted);
        const isStillRight = verdict.verdict === "step" && describe(verdict.step) === describe(step);
        return isStillRight ? undefined : now;
    }

    /** Hosts that are looked at again before a step: what was seen there may be old, and must not be. */
    private doubtful(seen: Observation, step: Step): readonly string[] {
        if (step.kind === "restart") return seen.hosts[step.host]?.unit === "activating" ? [step.host] : [];
        if (step.kind !== "remove") return [];
        const world = { seen, wanted: this.wanted };
        const known = [...this.wanted.hosts, ...this.wanted.retired];
        return known.flatMap((host) => {
            const isTheirs = memberOf(world, host)?.id === step.memberId && seen.hosts[host.key]?.reach.ok;
            return isTheirs ? [host.key] : [];
        });
    }

    private async take(seen: Observation, step: Step): Promise<Observation> {
        const name = describe(step);
        this.assertLasting(name);
        this.follow(seen, step);
        const risk = riskOf(seen, this.wanted, step);
        let outcome = await this.act(seen, step, name);
        const patience =
            this.refused.get(name) ??
            this.patience(patienceSeconds(this.wanted, step), () => `${name}: ${outcome.notYet ?? ""}`);
        while (outcome.notYet !== undefined) {
            this.refused.set(name, patience);
            if (patience.isOver)
                throw new MembershipError(
                    `${name}: ${outcome.mayBeDone ? "" : "etcd still refuses it: "}${outcome.notYet}${await this.log(hostsOf(step), seen)}`,
                );
            await patience.pause();
            const now = await this.observer.refresh(seen, { hosts: outcome.hosts });
            if (outcome.mayBeDone && !now.cluster) continue;
            const verdict = nextStep(now, this.wanted);
            if (verdict.verdict !== "step" || describe(verdict.step) !== name) {
                if (outcome.mayBeDone && this.isDone(now, step)) break;
                this.left.unshift(nameOf(step));
                return now;
            }
            seen = now;
            outcome = await this.act(seen, step, name);
        }
        this.refused.clear();
        this.waited.clear();
        this.times.set(name, (this.times.get(name) ?? 0) + 1);
        this.taken += 1;
        const number = `${this.taken}/${this.taken + this.left.length}`;
        this.accompany.tell(`${number} ${name}: ${step.because} (${this.elapsed()})${risk ? ` [${risk}]` : ""}`);
        if (outcome.note) this.accompany.tell(outcome.note);
        return this.observer.refresh(seen, { hosts: outcome.hosts });
    }

    /** Nothing that is left to do is this step. */
    private isDone(seen: Observation, step: Step): boolean {
        return !wholePlan(seen, this.wanted).steps.map(nameOf).includes(nameOf(step));
    }

    /** A step that was foreseen is crossed off, in whatever order; one that was not is told, and the plan is made anew. */
    private follow(seen: Observation, step: Step): void {
        if (strike(this.left, step)) return;
        this.accompany.tell(`not as planned: ${describe(step)}: ${step.because}`);
        this.left = wholePlan(seen, this.wanted).steps.map(nameOf);
        strike(this.left, step);
    }

    private async act(seen: Observation, step: Step, name: string): Promise<Outcome> {
        this.accompany.beforeStep();
        try {
            return await act(this.observer, this.wanted, seen, step, this.accompany.beforeStep);
        } catch (error) {
            throw new MembershipError(
                `${name}: ${messageOf(error)}${await this.log(this.concerned(step, error), seen)}`,
            );
        }
    }

    /** A condition with a deadline. What it waits for is looked at again and again, and nothing else. */
    private async wait(first: Observation, wait: Wait): Promise<Observation> {
        const { until } = wait;
        const patience = this.waited.get(until) ?? this.patience(wait.deadlineSeconds, () => `until ${until}`);
        this.waited.set(until, patience);
        let seen = first;
        for (;;) {
            await patience.pause();
            seen = await this.observer.refresh(seen, { hosts: wait.hosts });
            const verdict = nextStep(seen, this.wanted);
            if (verdict.verdict !== "wait") return seen;
            // Of two that come in turn, neither may begin anew each time.
            if (patience.isOver && this.waited.has(verdict.until)) return this.giveUp(seen, wait);
            if (verdict.until !== until) return seen;
        }
    }

    private async giveUp(seen: Observation, wait: Wait): Promise<never> {
        const remedy = wait.remedy === undefined ? "" : `; ${wait.remedy}`;
        const message = `waited ${wait.deadlineSeconds} s, but not until ${wait.until}${remedy}${await this.log(wait.hosts, seen)}`;
        await this.lastResort(seen, wait).catch((error: unknown) => {
            throw new MembershipError(`${messageOf(error)}\nbefore that: ${message}`);
        });
        throw new MembershipError(message);
    }

    private async lastResort(seen: Observation, wait: Wait): Promise<void> {
        if (!wait.otherwise) return;
        const now = await this.take(seen, wait.otherwise);
        const half = otherHalf(wait, nextStep(now, this.wanted));
        if (half) await this.take(now, half);
    }

    /** The hosts that a failure is about: of several, the one that failed. */
    private concerned(step: Step, error: unknown): readonly string[] {
        const keys = hostsOf(step);
        if (!isRemoteError(error)) return keys;
        const failed = keys.filter((key) => error.host === describeTarget(this.observer.host(key).ssh));
        return failed.length > 0 ? failed : keys;
    }

    /** The last relevant lines of the hosts concerned, those that are not well first, and what to type next. */
    private async log(keys: readonly string[], seen: Observation): Promise<string> {
        const unwell = keys.filter((key) => !seen.hosts[key]?.status);
        const told = await Promise.all(
            (unwell.length > 0 ? unwell : keys).slice(0, HOSTS_TOLD).map((key) => this.hostLog(key)),
        );
        return [...told.map(({ lines }) => lines), `\n${nextLine(told[0]?.next ?? "pulumi up")}`].join("");
    }

    private async hostLog(key: string): Promise<{ readonly lines: string; readonly next: string }> {
        const paths = hostPaths(this.wanted.cluster, this.wanted.dataDir);
        const { name, address, ssh } = this.observer.host(key);
        try {
            const connection = await this.observer.connection(key);
            const { stdout } = await connection.run(lastLogLines(paths, LINES_READ), { timeoutSeconds: LOG_SECONDS });
            const lines = tellingLines(stdout, 8).map((line) => `\n  ${name}| ${line}`);
            const silence = this.observer.silence(key);
            return {
                lines: [
                    ...lines,
                    ...(silence === undefined ? [] : [`\nwhen "${name}" was asked last: ${silence}`]),
                ].join(""),
                next: afterLookAt({ name, address }, `journalctl -u ${paths.unit}`),
            };
        } catch (error) {
            return {
                lines: `\n  ${name}| its journal can't be read: ${messageOf(error)}`,
                next: afterRepair(ssh),
            };
        }
    }

    private patience(seconds: number, what: () => string): Patience {
        return new Patience(seconds, () => this.accompany.tell(`waiting for up to ${seconds} s: ${what()}`));
    }

    private assertLasting(name: string): void {
        if ((this.times.get(name) ?? 0) >= ATTEMPTS)
            throw new MembershipError(
                withNext(
                    `"${name}" was done ${ATTEMPTS} times and did not last; see what else manages these hosts`,
                    "pulumi preview",
                ),
            );
    }

    private elapsed(): string {
        return `${((performance.now() - this.began) / 1000).toFixed(2)} s`;
    }
}

function patienceSeconds({ timeouts }: Desired, step: Step): number {
    return step.kind === "promote" ? timeouts.syncSeconds : timeouts.changeSeconds;
}

/** Where a step is done: the host whose log tells why it failed. */
function hostsOf(step: Step): readonly string[] {
    if (step.kind === "remove") return step.snapshotOn === undefined ? [] : [step.snapshotOn];
    if (step.kind === "move-leader") return [step.to];
    return "host" in step ? [step.host] : step.hosts;
}

/** The members of an observed cluster, in the declared order. */
export function memberTable(
    seen: Observation,
    wanted: Desired,
): readonly { name: string; id: string; address: string; peerUrl: string; clientUrl: string }[] {
    return wanted.hosts.flatMap((host) => {
        const member = memberOf({ seen, wanted }, host);
        if (!member) return [];
        return [
            { name: host.name, id: member.id, address: host.address, peerUrl: host.peerUrl, clientUrl: host.clientUrl },
        ];
    });
}
