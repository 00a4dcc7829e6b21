import assert from "node:assert/strict";

import { voters } from "../integration/fixture";
import { hasPrinted } from "../integration/moments";
import { Project } from "../integration/project";
import { keepFromCalling } from "../oneWay";
import { FaultBed, lookAfter } from "./faultBed";
import { Gate } from "./gate";
import { Signs } from "./signs";
import { assertLed } from "./workload/workload";

/** How late answers are while a moment between two of them is looked for. */
const LATE_MS = 150;

describe("fault: what can happen to who joins and who leaves", () => {
    const cluster = "joining";
    const all = ["a", "b", "c"];
    let site: FaultBed;
    let gate: Gate;
    let signs: Signs;

    before(async () => {
        site = await FaultBed.open(cluster, "10.107.2", 4);
        const jump = site.host("d");
        gate = await Gate.open(jump.address, 22, LATE_MS);
        const bastion = { address: "127.0.0.1", port: gate.port, hostKey: jump.publicHostKey };
        site.always = { ssh: { ...site.bed.declare(1).ssh, bastion } };
        await prepare();
    });

    async function prepare(): Promise<void> {
        await site.mustUp(1);
        const { operator } = (await site.project.outputs())[cluster]!;
        signs?.close();
        signs = new Signs(site.bed.lab, cluster, { host: site.host("a"), credentials: operator });
    }

    beforeEach(() => site.mustUp(1));

    afterEach(() => gate.pass());

    after(() => {
        signs?.close();
        gate?.close();
    });

    lookAfter(() => site, prepare);

    it("a learner whose etcd never starts is waited for in bounds and removed; the error has its host and last words", async () => {
        const c = site.host("c");
        const dropIn = `/etc/systemd/system/etcd-${cluster}.service.d/broken.conf`;
        const words = "the library that it needs is not there";
        await c.writeFile(dropIn, `[Service]\nExecStartPre=/bin/sh -c "echo ${words} >&2; exit 1"\n`);
        await site.work("a learner never starts");
        const run = await site.mustRefuse(3, new RegExp(`c\\| ${words}`));
        assert.match(run.text, /waited 10 s, but not until learner "c"/);
        assert.match(run.text, new RegExp(`next: journalctl -u etcd-${cluster} on c \\(10\\.107\\.2\\.13\\)`));
        assert.equal(await site.memberId("a", "c"), undefined, "it is still in the list");
        assert.ok(run.seconds < 120, `${run.seconds} s`);
        await c.output(`rm ${dropIn}; systemctl daemon-reload`);
        await site.converges(3);
    });

    it("a learner that dies when it is to become the second voter is not promoted, and the first one goes on", async () => {
        const b = site.host("b");
        await site.work("a learner dies before 1→2");
        const running = site.project.startUp(site.declared(["a", "b"], { allowEvenSize: true }));
        gate.delay();
        assert.ok(await hasPrinted(running, /start "b", which joins/));
        await b.kill();
        const run = await running.finished;
        gate.pass();
        assert.notEqual(run.code, 0, run.text);
        assert.match(run.text, /"b"/);
        assert.doesNotMatch(run.text, /promote "b"/);
        assert.deepEqual(await voters(site.host("a"), cluster), ["a"]);
        await site.progress();
        await b.start();
        await site.converges(["a", "b"], { allowEvenSize: true });
    });

    it("a learner that answers, but that the leader does not hear, is not promoted, and the first one goes on", async () => {
        const [b, changes] = [site.host("b"), { allowEvenSize: true }];
        await site.work("a learner is cut off before 1→2");
        const running = site.project.startUp(site.declared(["a", "b"], changes));
        gate.delay();
        assert.ok(await hasPrinted(running, /start "b", which joins/));
        gate.cut();
        running.kill();
        await running.finished;
        await site.project.cancel();
        assert.deepEqual(await voters(site.host("a"), cluster), ["a"], "the run was killed too late");
        await until(async () => (await b.output(`systemctl is-active etcd-${cluster} || true`)).trim() === "active");
        const id = (await site.memberId("a", "b")) ?? "";
        assert.ok((await signs.heard()).has(id), "it never took part");
        await b.partitionFrom([site.host("a").address]);
        await until(async () => !(await signs.heard()).has(id));
        gate.pass();
        const run = await site.up(["a", "b"], changes);
        await b.heal();
        assert.notEqual(run.code, 0, run.text);
        assert.match(run.text, /waited 10 s, but not until learner "b" reaches the leader/);
        assert.doesNotMatch(run.text, /promote "b"/);
        assert.deepEqual(await voters(site.host("a"), cluster), ["a"]);
        await site.mustUp(["a", "b"], changes);
        assertLed((await site.endWork(["a", "b"]))!);
        await site.isDone(["a", "b"], changes);
    });

    it("a learner that calls the leader, and can't be called by it, is not promoted, and the error says so", async () => {
        const [a, b, changes] = [site.host("a"), site.host("b"), { allowEvenSize: true }];
        const letCall = await keepFromCalling(a, b, 2380);
        try {
            await site.work("the leader can't call a learner");
            const why =
                /not until learner "b" is reached by the leader; the leader hears from it, and can't call https:\/\/10\.107\.2\.12:2380/;
            const run = await site.mustRefuse(["a", "b"], why, changes);
            assert.doesNotMatch(run.text, /promote "b"/);
            assert.deepEqual(await voters(a, cluster), ["a"]);
        } finally {
            await letCall();
        }
        await site.converges(["a", "b"], changes);
    });

    it("a leader that can't call a voter, and counts it as gone, has another one asked: the list grows and shrinks", async () => {
        const [a, b, changes] = [site.host("a"), site.host("b"), { allowEvenSize: true }];
        await site.mustUp(["a", "b"], changes);
        assert.equal(await site.leader(["a", "b"]), "a");
        const id = (await site.memberId("a", "b")) ?? "";
        const letCall = await keepFromCalling(a, b, 2380);
        try {
            await until(async () => (await signs.heard()).get(id)?.isConnected === false);
            await site.work("the leader can't call a voter");
            await site.mustUp(3);
            await site.mustUp(["a", "b"], changes);
            assert.equal((await signs.heard()).get(id)?.isConnected, false, "it could call all the same");
            assert.equal(await site.leader(["a", "b"]), "a");
        } finally {
            await letCall();
        }
        await site.converges(["a", "b"], changes);
    });

    it("a promotion whose answer is lost is looked at by the next run, which promotes nobody twice", async () => {
        await site.work("the promotion's answer is lost");
        const running = site.project.startUp(site.declared(3));
        gate.delay();
        assert.ok(await hasPrinted(running, /start "b", which joins/));
        await until(async () => (await signs.voters()).length === 2);
        gate.cut();
        const run = await running.finished;
        assert.notEqual(run.code, 0, run.text);
        assert.doesNotMatch(run.text, /\d promote "b"/, "its answer was heard");
        gate.pass();
        assert.equal((await signs.voters()).length, 2);
        const next = await site.converges(3);
        assert.doesNotMatch(next.text, /promote "b"|remove/);
        assert.match(next.text, /promote "c"/);
    });

    it("a host whose removal was heard of by nobody stays out, even over a reboot, and comes back with nothing of its old data", async () => {
        await site.mustUp(3);
        const old = await site.memberId("a", "c");
        await site.work("died between remove and stop");
        const running = site.project.startUp(site.declared(["a", "b"], { allowEvenSize: true }));
        gate.delay();
        await until(async () => (await signs.voters()).length === 2);
        gate.keep();
        running.kill();
        await running.finished;
        gate.pass();
        const c = site.host("c");
        await c.output(`test -d /var/lib/etcd/${cluster}/member/wal`);
        await c.reboot();
        await site.progress();
        assert.equal(await site.memberId("a", "c"), undefined);
        await site.project.cancel();
        const run = await site.converges(3);
        assert.match(run.text, /stop etcd on "c" and move its data aside/);
        assert.notEqual(await site.memberId("a", "c"), old);
        await c.output(`ls -d /var/lib/etcd/${cluster}.2*`);
    });

    it("another token, and a host with the data of another cluster, are refused while clients go on", async () => {
        const theirs = await Project.open({ stack: "theirs" });
        try {
            await theirs.mustUp(site.declared(["b"], { clusterToken: "theirs" }));
            const before = await site.startTimes(["a", "b"]);
            await site.work("a wrong token");
            await site.mustRefuse(3, /host "b" .*belongs to the cluster with the token "theirs", declared is "joining/);
            await site.mustRefuse(1, /host "a" .*declared is "changed"/, { clusterToken: "changed" });
            await site.progress();
            assert.deepEqual(await site.startTimes(["a", "b"]), before);
            const destroyed = await theirs.destroy();
            assert.equal(destroyed.code, 0, destroyed.text);
            await site.converges(3);
        } finally {
            theirs.close();
        }
    });

    it("a host that leads hands over before it is removed", async () => {
        await site.mustUp(3);
        const led = await site.leader(all);
        const stay = all.filter((name) => name !== led);
        await site.work("the removed host leads");
        const run = await site.converges(stay, { allowEvenSize: true });
        assert.match(run.text, new RegExp(`move the lead from "${led}" to "(${stay.join("|")})"`));
        await site.mustUp(3);
    });
});

/** The test's own time is the deadline. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
    while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 5));
}
