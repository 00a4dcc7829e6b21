import assert from "node:assert/strict";

import type { EtcdClusterArgs } from "../../components";
import { diagnoseFailures } from "./diagnose";
import { etcdctl, eventually, openBed, startTimes, voters, type Bed } from "./fixture";
import { hasPrinted, step } from "./moments";
import { Project } from "./project";

const cluster = "interrupt";
const all = ["a", "b", "c"];
/** More than the 7 s after which etcd tries again to make a new member known. */
const HEALTH_SECONDS = 10;

describe("a run from one to three that is disturbed", () => {
    let bed: Bed;
    let project: Project;

    function declared(size: number): Record<string, EtcdClusterArgs> {
        return { [cluster]: bed.declare(size, { timeouts: { healthSeconds: HEALTH_SECONDS } }) };
    }

    before(async () => {
        bed = await openBed("it-interrupt", "10.84.2", 3);
        project = await Project.open();
    });

    beforeEach(async () => {
        await project.mustUp(declared(1));
        await etcdctl(bed.lab.host("a"), cluster, "put greeting hello");
    });

    after(async () => {
        project?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    async function assertThree(): Promise<void> {
        for (const name of all) {
            assert.deepEqual(await voters(bed.lab.host(name), cluster), all);
            assert.match(await etcdctl(bed.lab.host(name), cluster, "get greeting"), /hello/);
        }
    }

    it("ends what is under way after Ctrl-C, keeps its state, and is finished by the next up", async () => {
        const running = project.startUp(declared(3));
        assert.ok(await hasPrinted(running, step(cluster, 3)));
        running.interrupt();
        const run = await running.finished;
        assert.notEqual(run.code, 0);
        assert.deepEqual(running.left(), []);
        const before = await startTimes(bed.lab, ["a"], cluster);
        await project.mustUp(declared(3));
        await assertThree();
        assert.deepEqual(await startTimes(bed.lab, ["a"], cluster), before);
    });

    it("ends at once after a second Ctrl-C, and is finished by the next up", async () => {
        const running = project.startUp(declared(3));
        assert.ok(await hasPrinted(running, step(cluster, 3)));
        const printed = running.printed().length;
        running.interrupt();
        await eventually("the engine heard the first one", 20, () => {
            assert.match(running.printed().slice(printed), /\^C|interrupt|cancel/i);
            return Promise.resolve();
        });
        running.interrupt();
        const run = await running.finished;
        assert.notEqual(run.code, 0, run.text);
        assert.doesNotMatch(run.text, /promote "c" to voter/, "it went on");
        // A run that was ended by force keeps the lock of its stack now and then: engine's word is "pulumi cancel".
        await project.cancel().catch(() => {});
        await project.mustUp(declared(3));
        await assertThree();
    });

    it("tells what it waits for, gives up in time when it was interrupted there, and says how to go on", async () => {
        const c = bed.lab.host("c");
        await c.partitionFrom([bed.lab.host("a").address, bed.lab.host("b").address]);
        const running = project.startUp(declared(3));
        assert.ok(await hasPrinted(running, new RegExp(`waiting for up to ${HEALTH_SECONDS} s: until learner "c"`)));
        const began = performance.now();
        running.interrupt();
        const run = await running.finished;
        assert.notEqual(run.code, 0);
        assert.ok(performance.now() - began < (HEALTH_SECONDS + 20) * 1000);
        assert.match(run.text, /waited 10 s, but not until learner "c"/);
        assert.match(run.text, /next: journalctl -u etcd-interrupt on c/);
        assert.deepEqual(await voters(bed.lab.host("a"), cluster), ["a"]);
        await c.heal();
        await project.mustUp(declared(3));
        await assertThree();
    });

    for (const name of ["a", "b"]) {
        it(`fails in bounded time when the network of "${name}" is cut, names it, and is finished by the next up`, async () => {
            const host = bed.lab.host(name);
            const running = project.startUp(declared(3));
            assert.ok(await hasPrinted(running, step(cluster, 3)));
            await host.cut();
            const began = performance.now();
            const run = await running.finished;
            console.log(`      failed ${((performance.now() - began) / 1000).toFixed(1)} s after the cut`);
            assert.notEqual(run.code, 0);
            assert.match(run.text, new RegExp(`root@${host.address.replaceAll(".", "\\.")}|host "${name}"`));
            await host.heal();
            await project.mustUp(declared(3));
            await assertThree();
        });
    }
});
