import assert from "node:assert/strict";

import { clusterIdToKeep } from "../../../components/membership/clusterId";
import type { Observation } from "../../../components/membership/types";
import { changed, found, wanted } from "../adoption/found";

describe("the cluster's id that a state records", () => {
    const id = found.cluster!.clusterId;
    const unknown = { ...wanted, knownClusterId: undefined };

    it("is that of the cluster that answers, where none was known, or where the known one was given up", () => {
        assert.equal(clusterIdToKeep({ seen: found, wanted: unknown }, undefined), id);
        assert.equal(clusterIdToKeep({ seen: found, wanted: unknown }, "given up"), id);
        assert.equal(clusterIdToKeep({ seen: { ...found, cluster: undefined }, wanted: unknown }, "old"), "old");
    });

    it("stays when another cluster answers", () => {
        assert.equal(clusterIdToKeep({ seen: found, wanted: { ...wanted, knownClusterId: "ours" } }, "ours"), "ours");
    });

    it("is none after a first run that was refused, since a host belongs to another cluster", () => {
        const identity = { clusterToken: "other", clusterId: id, memberId: "1" };
        const theirs: Observation = changed(found, "b", { identity });
        assert.equal(clusterIdToKeep({ seen: theirs, wanted: unknown }, undefined), undefined);
    });
});
