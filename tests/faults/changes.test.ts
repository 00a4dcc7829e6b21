import assert from "node:assert/strict";

import type { EtcdClusterArgs } from "../../components";
import { diagnoseFailures } from "../integration/diagnose";
import { openBed, voters, type Bed } from "../integration/fixture";
import { Project } from "../integration/project";
import {
    addressTowards,
    assertSound,
    describeReport,
    startWorkload,
    workloadClient,
    type Workload,
} from "./workload/workload";

const cluster = "changes";
/** Acknowledged writes before a change and after it, so that there is something to compare. */
const SOME = 50;

describe("a cluster in use that changes", () => {
    let bed: Bed;
    let project: Project;
    let declared: Partial<EtcdClusterArgs>;
    let workload: Workload | undefined;

    before(async () => {
        bed = await openBed("wl-changes", "10.106.1", 4);
        project = await Project.open();
        declared = { clients: [workloadClient(await addressTowards(bed.lab.host("a").address))] };
        await project.mustUp(program(["a"]));
    });

    afterEach(() => workload?.abandon());

    after(async () => {
        project?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    function program(
        hosts: readonly string[],
        changes: Partial<EtcdClusterArgs> = {},
    ): Record<string, EtcdClusterArgs> {
        return { [cluster]: bed.declare(hosts, { ...declared, ...changes }) };
    }

    it("grows from one member to three, and loses nothing", async () => {
        workload = await startWorkload((await project.outputs())[cluster]!);
        await workload.progress(SOME);
        await workload.phase("1 → 3");
        await project.mustUp(program(["a", "b", "c"]));
        await workload.phase("after");
        await workload.useAll((await project.outputs())[cluster]!.endpoints);
        await workload.progress(SOME);
        const report = await workload.stop();
        console.log(describeReport(report));
        assertSound(report);
        assert.deepEqual(await voters(bed.lab.host("c"), cluster), ["a", "b", "c"]);
    });
});
