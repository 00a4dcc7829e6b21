import assert from "node:assert/strict";

import { Cluster } from "./model/cluster";
import { Died } from "./model/run";

describe("the plan for a host that is to found the cluster, and is declared otherwise before it has", () => {
    const changes: Readonly<Record<string, (cluster: Cluster) => string>> = {
        "under another name": (cluster) => {
            cluster.machine("a").name = "z";
            return "z";
        },
        "at another port": (cluster) => {
            cluster.move("a", 2390);
            return "a";
        },
    };
    for (const [how, change] of Object.entries(changes)) {
        it(`founds it ${how}`, () => {
            const cluster = new Cluster("a");
            cluster.revise("crashing");
            assert.match(cluster.up("a").error ?? "", /not until member "a" answers/);
            const name = change(cluster);
            cluster.revise();
            cluster.mustUp(name);
            assert.equal(cluster.voters, name);
            assert.equal(cluster.lab.clusters[0]!.members[0]!.peerUrl, cluster.machine(name).peerUrl);
        });
    }

    it("founds one cluster only, though a run dies before any of its effects", () => {
        for (let deadline = 0; ; deadline += 1) {
            const cluster = new Cluster("a");
            cluster.revise("crashing");
            cluster.up("a");
            cluster.machine("a").name = "z";
            cluster.revise();
            let effects = 0;
            const { error } = cluster.up("z", () => {
                if (effects++ === deadline) throw new Died();
            });
            if (error === undefined) return;
            assert.equal(error, "died");
            cluster.mustUp("z");
            assert.equal(cluster.lab.clusters.length, 1);
        }
    });
});
