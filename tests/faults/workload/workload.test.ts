import assert from "node:assert/strict";

import { LoopbackEtcd } from "./loopbackEtcd";
import type { PhaseReport } from "./measures";
import { assertSound, Workload } from "./workload";

/** Each violation is a real one, of a real etcd that was tampered with. */
describe("the workload", () => {
    let etcd: LoopbackEtcd;
    let workload: Workload;

    beforeEach(async () => {
        etcd = await LoopbackEtcd.start();
        workload = await Workload.start([etcd.endpoint], undefined, { run: "t", settleSeconds: 5 });
        await workload.progress(200);
    });

    afterEach(async () => {
        workload?.abandon();
        await etcd?.remove();
    });

    it("finds a healthy etcd sound, and tells what it measured", async () => {
        workload.abandon();
        // A busy machine keeps a healthy etcd from an answer for longer than half a second.
        const patient = await Workload.start([etcd.endpoint], undefined, { run: "p", deadlineMs: 30_000 });
        // Those that were under way when the phase began are acknowledged in it, and not its: some more than are wanted.
        await patient.progress(220);
        const report = await patient.stop();
        assertSound(report);
        const [{ acknowledged, failed, failedBy, p50Ms, p99Ms, longestGapMs }] = report.phases as [PhaseReport];
        assert.deepEqual({ failed, failedBy }, { failed: 0, failedBy: {} });
        assert.ok(acknowledged >= 200, `${acknowledged} writes were acknowledged`);
        assert.ok(
            p50Ms > 0 && p99Ms >= p50Ms && longestGapMs >= p50Ms,
            `p50 ${p50Ms}, p99 ${p99Ms}, longest gap ${longestGapMs}`,
        );
    });

    it("finds an etcd sound that was killed and came back, counts what failed, and watches on from where it was", async () => {
        await workload.phase("killed");
        const killed = performance.now();
        await etcd.kill();
        await etcd.start();
        const downMs = performance.now() - killed;
        await workload.progress(100);
        const report = await workload.stop();
        assertSound(report);
        const phase = report.phases.at(-1)!;
        assert.ok(phase.failed > 0);
        assert.ok(phase.longestGapMs > downMs / 2, `${phase.longestGapMs} ms, and it was down for ${downMs} ms`);
        assert.ok(report.recording.watchConnections > 1);
    });

    it("notices that an etcd came back with older data", async () => {
        await etcd.kill();
        etcd.keepCopy();
        await etcd.start();
        await workload.progress(100);
        await etcd.kill();
        etcd.putCopyBack();
        await etcd.start();
        await workload.progress(20);
        const { violations } = await workload.stop();
        assert.match(violations.join("\n"), /was acknowledged at revision \d+, and the key is not there/);
        assert.match(violations.join("\n"), /was called after .* had ended, and is of revision/);
    });

    it("notices that somebody deleted a key", async () => {
        etcd.etcdctl("del", "--prefix", "w/t-any/00000");
        const { violations } = await workload.stop();
        assert.match(
            violations.join("\n"),
            /the write of "w\/t-any\/00000\d" was acknowledged .* the key is not there/,
        );
        assert.match(violations.join("\n"), /"w\/t-any\/00000\d" was deleted, and nobody did that/);
    });

    it("notices that somebody set the register back", async () => {
        await workload.progress(20);
        etcd.etcdctl("put", "w/t-register", "stranger");
        await workload.progress(50);
        const { violations } = await workload.stop();
        assert.match(violations.join("\n"), /the register held "stranger", which nobody wrote/);
    });

    it("notices that two members are of different clusters", async () => {
        const other = await LoopbackEtcd.start();
        try {
            const { violations } = await workload.stop([etcd.endpoint, other.endpoint]);
            assert.match(violations.join("\n"), /(differ at revision|different member lists|for its hash at revision)/);
        } finally {
            await other.remove();
        }
    });

    it("fails a phase in which nothing could be written", async () => {
        etcd.freeze();
        await workload.phase("frozen");
        await assert.rejects(
            workload.progress(1, 2),
            /too little progress: wanted were 1 acknowledged writes within 2 s/,
        );
        await workload.phase("thawed");
        etcd.thaw();
        await workload.progress(50);
        const report = await workload.stop();
        assert.deepEqual(report.violations, []);
        assert.throws(
            () => assertSound(report),
            /phase "frozen" had \d acknowledged writes in \d\.\d s, and fewer than 20 prove nothing/,
        );
    });

    it("says what it waited for when no endpoint answers", async () => {
        await etcd.kill();
        await assert.rejects(
            Workload.start([etcd.endpoint], undefined, { startSeconds: 1 }),
            /too little progress: wanted were 5 acknowledged writes by 127\.0\.0\.1:\d+ within 1 s.*ECONNREFUSED/,
        );
    });
});
