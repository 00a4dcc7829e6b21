import assert from "node:assert/strict";

import type { EtcdClusterArgs } from "../../components";
import { diagnoseFailures } from "./diagnose";
import { openBed, startTimes, voters, type Bed } from "./fixture";
import { hasPrinted } from "./moments";
import { Project, type Running } from "./project";

const cluster = "lock";
const all = ["a", "b", "c"];

describe("two runs on one cluster, from two copies of its stack", () => {
    let bed: Bed;
    let first: Project;
    let second: Project;

    function declared(size: number, changes: Partial<EtcdClusterArgs> = {}): Record<string, EtcdClusterArgs> {
        return { [cluster]: bed.declare(size, changes) };
    }

    before(async () => {
        bed = await openBed("it-lock", "10.84.3", 3);
        [first, second] = [await Project.open(), await Project.open()];
        await first.mustUp(declared(1));
        await second.copyState(first);
    });

    after(async () => {
        first?.close();
        second?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    /** A run that is sure to be busy: it waits for a learner that its peers can't reach. */
    async function startBusyRun(): Promise<Running> {
        await bed.lab.host("c").partitionFrom([bed.lab.host("a").address, bed.lab.host("b").address]);
        const running = first.startUp(declared(3));
        assert.ok(await hasPrinted(running, /waiting for up to 30 s: until learner "c"/));
        return running;
    }

    it("lets only one work, and tells the other who does and since when", async () => {
        const busy = await startBusyRun();
        const started = Date.now();
        const other = await second.up(declared(3));
        assert.notEqual(other.code, 0);
        const [, holder = "", since = ""] =
            /the lock of cluster "lock" is held by (.*), since (\S+);/.exec(other.text) ?? [];
        assert.match(holder, /^root@\S+, process \d+, stack user-program\/test$/);
        assert.ok(Math.abs(Date.parse(since) - started) < 60_000, since);
        const end = await second.destroy();
        assert.notEqual(end.code, 0);
        assert.match(end.text, /the lock of cluster "lock" is held by/);

        await bed.lab.host("c").heal();
        const run = await busy.finished;
        assert.equal(run.code, 0, run.text);
        assert.deepEqual(await voters(bed.lab.host("c"), cluster), all);
    });

    it("lets the other wait for its turn, if it was told to, and then finds nothing left to do", async () => {
        await first.mustUp(declared(1));
        const busy = await startBusyRun();
        const other = second.startUp(declared(3, { timeouts: { lockSeconds: 120 } }));
        assert.ok(await hasPrinted(other, /waiting: .*the lock of cluster "lock" is held by/));
        await bed.lab.host("c").heal();
        const run = await busy.finished;
        assert.equal(run.code, 0, run.text);
        const before = await startTimes(bed.lab, all, cluster);
        const later = await other.finished;
        assert.equal(later.code, 0, later.text);
        assert.deepEqual(await startTimes(bed.lab, all, cluster), before);
        assert.deepEqual(await voters(bed.lab.host("a"), cluster), all);
    });

    it("stops a run that was held up for so long that another has taken the lock over", async () => {
        await first.mustUp(declared(1));
        const busy = await startBusyRun();
        // The operator's machine sleeps: nothing of the run moves, and its connections stay open.
        busy.signal("SIGSTOP");
        await bed.lab.host("c").heal();
        await second.mustUp(declared(3, { timeouts: { lockSeconds: 60 } }));
        const before = await startTimes(bed.lab, all, cluster);
        busy.signal("SIGCONT");
        const run = await busy.finished;
        assert.notEqual(run.code, 0);
        assert.match(run.text, /the cluster's lock there may be somebody else's by now; run again/);
        assert.deepEqual(await startTimes(bed.lab, all, cluster), before);
        await first.mustUp(declared(3));
        assert.deepEqual(await voters(bed.lab.host("c"), cluster), all);
    });
});
