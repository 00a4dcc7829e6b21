import assert from "node:assert/strict";

import { nextStep } from "../../../components/membership/plan";
import type { HostSeen, Step } from "../../../components/membership/types";
import { grown } from "./model/cluster";
import { but, silent } from "./model/seen";

const untold = { initialCluster: undefined, initialClusterState: undefined } as const;

describe("the plan for a host whose membership files a loss of power has emptied", () => {
    /** The first step for a cluster of one, with another generation staged. */
    function firstStep(change: Partial<HostSeen>, isAnswering: boolean): Step | undefined {
        const cluster = grown("a", "a");
        cluster.revise();
        const { seen, wanted } = cluster.foresee(
            "a",
            but("a", () => change),
        );
        const verdict = nextStep(isAnswering ? seen : { ...seen, cluster: undefined }, wanted);
        return verdict.verdict === "step" ? verdict.step : undefined;
    }

    it("writes them before it stops a member that runs", () => {
        assert.equal(firstStep({}, true)?.kind, "restart");
        assert.equal(firstStep(untold, true)?.kind, "record");
        assert.equal(firstStep({ identity: undefined }, true)?.kind, "record");
    });

    it("does not write them over whose nobody knows: a member that is stopped is told when it starts", () => {
        assert.equal(firstStep({ ...silent, ...untold, unit: "inactive" }, true)?.kind, "join");
    });

    it("starts a stopped member that has its data, also when no cluster answers", () => {
        const stopped = { ...silent, unit: "inactive", running: undefined, serving: undefined } as const;
        assert.equal(firstStep(stopped, false)?.kind, "start");
        assert.equal(firstStep({ ...stopped, ...untold }, false)?.kind, "start");
        assert.equal(firstStep({ ...stopped, identity: undefined }, false)?.kind, "start");
        assert.equal(firstStep({ ...stopped, ...untold, hasData: false }, false)?.kind, undefined);
    });

    it("leaves data alone about which no file of ours says anything", () => {
        const nobodys = { ...silent, ...untold, identity: undefined, unit: "inactive" } as const;
        assert.equal(firstStep(nobodys, false), undefined);
    });

    for (const [how, told] of [
        ["is empty", {}],
        ["is gone", undefined],
    ] as const) {
        it(`brings back a cluster of one that is down, with its data, when the file ${how}`, () => {
            const cluster = grown("a", "a");
            Object.assign(cluster.machine("a"), { told, service: undefined });
            cluster.revise();
            cluster.mustUp("a");
            assert.equal(cluster.lab.clusters.length, 1);
            assert.equal(cluster.machine("a").told?.state, "existing");
        });
    }
});
