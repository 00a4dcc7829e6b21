import assert from "node:assert/strict";

import { diagnoseFailures } from "../integration/diagnose";
import { lastStep, step } from "../integration/moments";
import type { Running } from "../integration/project";
import { DeathCourse, type Death, type Moment } from "./deathCourse";
import { closeAfterAll, FaultBed } from "./faultBed";
import { Gate } from "./gate";
import { Signs } from "./signs";

/** Each answer is this late while a run is watched: many times longer than a look at the hosts takes. */
const LATE_MS = 120;
/** Between two looks, which take some milliseconds themselves. */
const LOOK_MS = 30;
/** After this long without a change an effect is complete. */
const SETTLED_MS = 250;

/**
 * The process dies at every boundary of every step.
 *
 * A step is decided, has its effect on hosts or in etcd, is heard of, and told. Nothing is written down in between, so that there are
 * these moments to die at: when the step before was told and this one has no effect yet; when it has its effect and nobody heard of it;
 * when it was told, which is the first moment of the next one. The product has no hooks for tests: it is killed by what can be seen
 * from outside. A gate on the way to the hosts makes answers late, so that a change of a file or of etcd's own list is seen long before
 * the run hears of it; then the gate keeps all answers, the effect comes to its end, and the run is killed. Where one step has several
 * effects in turn, as a removal with its snapshot before, each is such a moment. Before the first step is the moment when the lock is taken.
 *
 * Whoever types the same again after a death may die again: each run goes on from where the one before was killed, and is killed in turn,
 * until one comes to its end.
 */
describe("fault: the process dies at every boundary of every step", function () {
    this.timeout(3_600_000);
    const cluster = "death";
    let site: FaultBed;
    let gate: Gate;
    let signs: Signs;
    /** One write after each death, that was acknowledged. */
    const written: string[] = [];

    before(async () => {
        site = await FaultBed.open(cluster, "10.107.1", 5);
        const jump = site.host("e");
        gate = await Gate.open(jump.address, 22, LATE_MS);
        const bastion = { address: "127.0.0.1", port: gate.port, hostKey: jump.publicHostKey };
        site.always = { ssh: { ...site.bed.declare(1).ssh, bastion } };
    });

    after(() => {
        signs?.close();
        gate?.close();
    });

    closeAfterAll(() => site);

    diagnoseFailures(() => site?.bed.lab);

    /** Makes each change in turn, again and again, till each was died in everywhere: one is what leads back to where the other begins. */
    async function dieEverywhere(
        changes: readonly {
            readonly name: string;
            readonly to: readonly string[];
            /** Who leads before it, so that every run has the same plan. */
            readonly leader?: string;
        }[],
        around: { readonly before?: () => Promise<void>; readonly after?: () => Promise<void> } = {},
    ): Promise<void> {
        const courses = new Map<string, DeathCourse>();
        const isComplete = (name: string): boolean => courses.get(name)?.isComplete === true;
        while (!changes.every(({ name }) => isComplete(name))) {
            for (const { name, to, leader } of changes) {
                await around.before?.();
                if (leader) await site.haveLead(leader);
                const course = courses.get(name) ?? (await courseOf(name, to));
                courses.set(name, course);
                if (course.isComplete) await site.mustUp(to);
                else await dieAllTheWay(to, course);
                await site.isDone(to);
                await assertNothingLost(to);
                await assertNothingLeft(to);
                await around.after?.();
            }
        }
        for (const { change, deaths, steps } of courses.values())
            console.log(
                `      ${change}: ${deaths} deaths; after the effect of each of ${steps} steps, and when each was told`,
            );
    }

    /** What a user does after a killed run: gives the stack's lock back, and types the same again. */
    async function dieAllTheWay(to: readonly string[], course: DeathCourse): Promise<void> {
        const joining = new Set<string>();
        course.begin();
        for (;;) {
            const { death, line } = await die(to, course);
            console.log(`      ${course.change}: died ${death}, ${line}`);
            if (death === "at its end") break;
            await Promise.all([site.project.cancel(), write()]);
            for (const { id, isLearner } of await members()) if (isLearner) joining.add(id);
        }
        const there = (await members()).map(({ id }) => id);
        const left = [...joining].filter((id) => !there.includes(id));
        assert.deepEqual(left, [], "who joined when a run died joins under the same id");
    }

    /** As "a" has them; none while it gives no answer. */
    async function members(): Promise<readonly { readonly id: string; readonly isLearner: boolean }[]> {
        const list = await site.etcdctl("a", "--command-timeout=2s member list").catch(() => "");
        return list.split("\n").flatMap((line) => {
            const [id = "", ...rest] = line.split(", ");
            return id === "" ? [] : [{ id, isLearner: rest.at(-1) === "true" }];
        });
    }

    /** @returns how the run ended, and where */
    async function die(to: readonly string[], course: DeathCourse): Promise<{ death: Death; line: string }> {
        const locksBefore = signs.locks();
        const running = site.project.startUp(site.declared(to));
        const moment = course.next();
        try {
            const death = moment ? await deathOf(running, moment, locksBefore) : await atItsEnd(running);
            const line = lastStep(running, cluster);
            const [, number, count] = /^(\d+)\/(\d+) /.exec(line) ?? [];
            if (moment) course.died(moment, death, count === undefined ? undefined : Number(count) - Number(number));
            return { death, line: `${moment?.step ?? "?"}/${course.steps}, ${line}` };
        } finally {
            running.kill();
            await running.finished;
            gate.pass();
        }
    }

    /** The preview says how many steps there are. */
    async function courseOf(change: string, to: readonly string[]): Promise<DeathCourse> {
        const { text } = await site.project.preview(site.declared(to));
        const count = new RegExp(`\\[${cluster}\\] plan 1/(\\d+): `).exec(text)?.[1];
        assert.ok(count !== undefined, text);
        return new DeathCourse(change, Number(count));
    }

    /** Kills a run: at the lock (step 0), after an effect of a step that it has not heard of, or else where that step is told. */
    async function deathOf(running: Running, { number, effect }: Moment, locksBefore: string): Promise<Death> {
        const hasBegun = await until(running, () => signs.locks() !== locksBefore);
        if (!hasBegun) return atItsEnd(running);
        gate.delay();
        if (number === 0) return "when it had the lock";
        if (number > 1 && !(await until(running, () => isTold(running, number - 1)))) return atItsEnd(running);
        for (let seen = 1; ; seen += 1) {
            const before = await signs.look();
            const isChanged = async (): Promise<boolean> => (await signs.look()) !== before;
            const changed = await until(running, async () => isTold(running, number) || (await isChanged()));
            if (!changed) return atItsEnd(running);
            if (isTold(running, number)) return "when it was told";
            gate.keep();
            await settled();
            if (isTold(running, number)) return "when it was told";
            if (seen === effect) return "unheard";
            gate.delay();
        }
    }

    async function atItsEnd(running: Running): Promise<Death> {
        gate.pass();
        const run = await running.finished;
        assert.equal(run.code, 0, run.text);
        return "at its end";
    }

    /** Clients of the member that stays, all the time. */
    async function work(what: string): Promise<void> {
        await site.work(`the process dies while ${what}`);
        await site.use(["a"]);
    }

    /** Before the run that goes on: by the member itself, if it takes any. */
    async function write(): Promise<void> {
        const key = `died-${written.length}`;
        const answer = await site.etcdctl("a", `--command-timeout=2s put ${key} ${key}`).catch(() => undefined);
        if (answer !== undefined) written.push(key);
    }

    async function assertNothingLost(names: readonly string[]): Promise<void> {
        for (const name of names) {
            const there = new Set((await site.etcdctl(name, "get died --prefix --keys-only")).split("\n"));
            assert.deepEqual(
                written.filter((key) => !there.has(key)),
                [],
                `writes that "${name}" lacks`,
            );
        }
    }

    /** On hosts that are declared no more. */
    async function assertNothingLeft(names: readonly string[]): Promise<void> {
        for (const host of site.bed.lab.hosts.filter(({ name }) => !names.includes(name)))
            assert.equal(await host.output("ls -d /etc/etcd; pgrep -a etcd; true"), "", `left on ${host.name}`);
    }

    function isTold(running: Running, number: number): boolean {
        return step(cluster, number).test(running.printed());
    }

    /** Looks again and again; false when the run ended before. */
    async function until(running: Running, isSo: () => boolean | Promise<boolean>): Promise<boolean> {
        let isOver = false;
        void running.finished.finally(() => (isOver = true));
        while (!isOver) {
            if (await isSo()) return true;
            await rest();
        }
        return false;
    }

    async function watch(teller: string): Promise<void> {
        signs?.close();
        const { operator } = (await site.project.outputs())[cluster]!;
        signs = new Signs(site.bed.lab, cluster, { host: site.host(teller), credentials: operator });
    }

    describe("from nothing to one", () => {
        it("converges each time", async () => {
            signs = new Signs(site.bed.lab, cluster, undefined);
            await dieEverywhere([{ name: "0→1", to: ["a"] }], { after: startOver });
        });
    });

    async function startOver(): Promise<void> {
        const run = await site.project.destroy();
        assert.equal(run.code, 0, run.text);
        written.length = 0;
    }

    describe("in a cluster that is in use", () => {
        before(async () => {
            await site.mustUp(["a"]);
            await watch("a");
        });

        it("converges each time when one grows to three, and three shrink to one", async () => {
            await work("growing and shrinking");
            await dieEverywhere([
                { name: "1→3", to: ["a", "b", "c"], leader: "a" },
                { name: "3→1", to: ["a"], leader: "a" },
            ]);
            await site.endWork(["a"]);
        });

        it("converges each time when the host that leads is replaced by another", async () => {
            await site.mustUp(["a", "b", "c"]);
            await work("replacing");
            await dieEverywhere([
                { name: "replace", to: ["a", "b", "d"], leader: "c" },
                { name: "replace", to: ["a", "b", "c"], leader: "d" },
            ]);
            await site.endWork(["a", "b", "c"]);
        });

        it("converges each time when a host was rebuilt under its name", async () => {
            await site.mustUp(["a", "b", "c"]);
            await work("rebuilding");
            await dieEverywhere([{ name: "rebuild", to: ["a", "b", "c"], leader: "a" }], {
                before: () => site.host("b").rebuild(),
            });
            await site.endWork(["a", "b", "c"]);
        });
    });

    async function settled(): Promise<void> {
        let [last, since] = [await signs.look(), Date.now()];
        while (Date.now() - since < SETTLED_MS) {
            await rest();
            const now = await signs.look();
            if (now !== last) [last, since] = [now, Date.now()];
        }
    }
});

function rest(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}
