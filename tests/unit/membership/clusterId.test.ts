import assert from "node:assert/strict";

import { clusterIdToKeep } from "../../../components/membership/clusterId";
import { nextStep } from "../../../components/membership/plan";
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

    it("is none while the cluster that is to be taken over has a member that nothing declares, also if a learner goes first", () => {
        const takingOver = { ...unknown, isTakingOver: true };
        const member = { id: "id-d", name: "d", peerUrls: ["https://10.0.0.4:2380"], clientUrls: [], isLearner: false };
        const leftover = { ...member, id: "id-e", name: "", peerUrls: ["https://10.0.0.5:2380"], isLearner: true };
        const withMembers = (...more: readonly (typeof member)[]): Observation => ({
            ...found,
            cluster: { ...found.cluster!, members: [...found.cluster!.members, ...more] },
        });
        const verdict = nextStep(withMembers(member), takingOver);
        assert.match(verdict.verdict === "refuse" ? verdict.error : "", /members that are not declared: "d id-d/);
        assert.equal(clusterIdToKeep({ seen: withMembers(member), wanted: takingOver }, undefined), undefined);
        assert.equal(
            clusterIdToKeep({ seen: withMembers(leftover, member), wanted: takingOver }, undefined),
            undefined,
        );
        assert.equal(clusterIdToKeep({ seen: withMembers(leftover), wanted: takingOver }, undefined), id);
        assert.equal(
            clusterIdToKeep({ seen: withMembers(member), wanted: { ...unknown, knownClusterId: id } }, id),
            id,
        );
    });

    it("is never that of a cluster that restore gives up, which no run may take for its own then", () => {
        const restore = { snapshot: "/srv/tools.db", replaces: id, isKnown: false };
        assert.equal(clusterIdToKeep({ seen: found, wanted: { ...unknown, restore } }, undefined), undefined);
        const next = { ...found, cluster: { ...found.cluster!, clusterId: "next" } };
        const hosts = Object.keys(next.hosts).reduce(
            (seen, name) => changed(seen, name, { status: { ...seen.hosts[name]!.status!, clusterId: "next" } }),
            next as Observation,
        );
        assert.equal(clusterIdToKeep({ seen: hosts, wanted: { ...unknown, restore } }, id), "next");
    });
});
