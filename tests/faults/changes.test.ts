import assert from "node:assert/strict";

import { diagnoseFailures } from "../integration/diagnose";
import { openBed, type Bed } from "../integration/fixture";
import { told } from "../integration/moments";
import { CHANGE, ClusterInUse, type Changed } from "./clusterInUse";
import { refusals } from "./workload/measures";
import { assertSound, describeReport } from "./workload/workload";

/** One after the other: each begins with what the one before has left. */
describe("a cluster in use", () => {
    let bed: Bed;
    let inUse: ClusterInUse;

    before(async () => {
        bed = await openBed("wl-changes", "10.106.1", 4);
        inUse = await ClusterInUse.open(bed, "changes", 100);
        await inUse.build(["a"]);
    });

    afterEach(() => inUse?.abandon());

    after(async () => {
        inUse?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    /** Nothing was lost or seen twice, and whoever was to stay did serve. */
    function assertServed({ report }: Changed): void {
        console.log(describeReport(report).replace(/^/gm, "      "));
        assertSound(report);
    }

    function steps({ run }: Changed): string {
        return told(run!.text, inUse.cluster).join("\n");
    }

    it("grows from one member to three, and refuses no write meanwhile", async () => {
        const changed = await inUse.change(["a", "b", "c"]);
        assertServed(changed);
        const change = changed.report.phases.find(({ name }) => name === CHANGE)!;
        assert.deepEqual(refusals(change), []);
    });

    it("restarts all members for a changed setting, and loses nothing", async () => {
        const changed = await inUse.change(inUse.hosts, { tuning: { snapshotCount: 5000 } });
        assertServed(changed);
        assert.equal(steps(changed).match(/\d+\/\d+ restart "/g)?.length, 3, steps(changed));
    });

    it("has a healthy follower replaced, and loses nothing", async () => {
        const [leaving] = await inUse.followers();
        const changed = await inUse.change([...inUse.hosts.filter((name) => name !== leaving), inUse.spare]);
        assertServed(changed);
        assert.doesNotMatch(steps(changed), /move the lead/);
    });

    it("has its leader replaced, which hands over first, and loses nothing", async () => {
        const leaving = await inUse.leader();
        const changed = await inUse.change([...inUse.hosts.filter((name) => name !== leaving), inUse.spare]);
        assertServed(changed);
        assert.match(steps(changed), new RegExp(`move the lead from "${leaving}"`));
    });

    it("goes on when the leader's host dies, has it replaced, and loses nothing", async () => {
        const dead = await inUse.leader();
        assertServed(await inUse.killHost(dead));
        const changed = await inUse.change([...inUse.hosts.filter((name) => name !== dead), inUse.spare]);
        assertServed(changed);
        await bed.lab.host(dead).rebuild();
    });

    it("shrinks from three members to one that did not lead, and loses nothing", async () => {
        const [staying] = await inUse.followers();
        const changed = await inUse.change([staying!]);
        assertServed(changed);
        assert.match(steps(changed), new RegExp(`move the lead from "\\w" to "${staying}"`));
    });
});
