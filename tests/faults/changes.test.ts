import assert from "node:assert/strict";

import { diagnoseFailures } from "../integration/diagnose";
import { openBed, type Bed } from "../integration/fixture";
import { told } from "../integration/moments";
import { CHANGE, ClusterInUse, type Changed } from "./clusterInUse";
import { refusals } from "./workload/measures";
import { assertLed, assertSound, describeReport } from "./workload/workload";

/** Every change of a list of hosts, one after the other: each begins with what the one before has left. */
describe("a cluster in use", () => {
    let bed: Bed;
    let inUse: ClusterInUse;

    before(async () => {
        bed = await openBed("wl-changes", "10.106.1", 7);
        inUse = await ClusterInUse.open(bed, "changes", 100);
        await inUse.build(["a"]);
    });

    afterEach(() => inUse?.abandon());

    after(async () => {
        inUse?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    /** Nothing was lost, stale or seen twice, whoever was to stay did serve, and no `up` cost the cluster its leader. @returns membership's steps, a line each */
    function assertServed({ report, run }: Changed): string {
        console.log(describeReport(report).replace(/^/gm, "      "));
        assertSound(report);
        if (run) assertLed(report);
        return run ? told(run.text, inUse.cluster).join("\n") : "";
    }

    it("grows from one member to three, and refuses no write meanwhile", async () => {
        const changed = await inUse.change(["a", "b", "c"]);
        assertServed(changed);
        const change = changed.report.phases.find(({ name }) => name === CHANGE)!;
        assert.deepEqual(refusals(change), []);
    });

    it("grows on to five, and to seven", async () => {
        const five = assertServed(await inUse.change([..."abcde"]));
        assert.equal(five.match(/\d+\/\d+ promote "/g)?.length, 2, five);
        const seven = assertServed(await inUse.change([..."abcdefg"]));
        assert.equal(seven.match(/\d+\/\d+ promote "/g)?.length, 2, seven);
    });

    it("takes no step when only the order of the list is another", async () => {
        const steps = assertServed(await inUse.change([..."gfedcba"]));
        assert.doesNotMatch(steps, /\d+\/\d+ /);
    });

    it("loses the first host of the list with another one, and then two more", async () => {
        const five = assertServed(await inUse.change([..."edcba"]));
        assert.match(five, /remove member "g"/);
        const three = assertServed(await inUse.change([..."abc"]));
        assert.equal(three.match(/ remove member "/g)?.length, 2, three);
    });

    it("restarts all members for a changed setting", async () => {
        const steps = assertServed(await inUse.change(inUse.hosts, { tuning: { snapshotCount: 5000 } }));
        assert.equal(steps.match(/\d+\/\d+ restart "/g)?.length, 3, steps);
    });

    it("moves to another peer port, one member at a time", async () => {
        const steps = assertServed(await inUse.change(inUse.hosts, { peerPort: 2390 }));
        assert.equal(steps.match(/ change the peer URL of member "/g)?.length, 3, steps);
    });

    it("moves to another client port, one member at a time", async () => {
        const steps = assertServed(await inUse.change(inUse.hosts, { clientPort: 12379 }));
        assert.equal(steps.match(/\d+\/\d+ restart "/g)?.length, 3, steps);
    });

    it("has a host that is renamed, and one that gets another address and loses the old one", async () => {
        const [renamed = "", moved = ""] = await inUse.followers();
        const steps = assertServed(await inUse.edit(renamed, { name: "z" }));
        assert.match(steps, /restart "z"/);
        const address = "10.106.1.32";
        const before = (): Promise<void> => bed.lab.readdress(moved, address);
        const moves = assertServed(await inUse.edit(moved, { address }, { before }));
        assert.match(moves, new RegExp(`change the peer URL of member "${moved}" .* to https://10\\.106\\.1\\.32:`));
        assert.doesNotMatch(steps + moves, /add "|remove member/);
    });

    it("has a healthy follower replaced", async () => {
        const [leaving = ""] = await inUse.followers();
        const steps = assertServed(await inUse.replace([leaving]));
        assert.doesNotMatch(steps, /move the lead/);
    });

    it("has its leader replaced, which hands over first", async () => {
        const leaving = await inUse.leader();
        const steps = assertServed(await inUse.replace([leaving]));
        assert.match(steps, /move the lead from /);
    });

    it("has a host back that was rebuilt under its name", async () => {
        const [rebuilt = ""] = await inUse.followers();
        const steps = assertServed(await inUse.rebuild(rebuilt));
        assert.match(steps, /remove member ".*it is added again afterwards/);
    });

    it("goes on when the leader's host dies, and has it replaced", async () => {
        const dead = await inUse.leader();
        assertServed(await inUse.killHost(dead));
        assertServed(await inUse.replace([dead]));
        await bed.lab.host(dead).rebuild();
    });

    it("has all its members replaced in one edit", async () => {
        const steps = assertServed(await inUse.replace(inUse.hosts));
        assert.equal(steps.match(/ promote "/g)?.length, 3, steps);
        assert.equal(steps.match(/ remove member "/g)?.length, 3, steps);
    });

    it("shrinks from three members to one that did not lead", async () => {
        const [staying] = await inUse.followers();
        const steps = assertServed(await inUse.change([staying!]));
        assert.match(steps, /move the lead from /);
    });
});
