import assert from "node:assert/strict";

import { nextStep } from "../../../components/membership/plan";
import type { HostSeen, Observation } from "../../../components/membership/types";
import { grown } from "./model/cluster";
import { but, silent } from "./model/seen";

/** Machines, disks and notes that are copies, or of another time. */
describe("the plan where something is there twice", () => {
    const foreseen = (hosts: string, members: string, wanted: string, name: string, change: Partial<HostSeen>) => {
        const cluster = grown(hosts, members);
        const { identity } = cluster.foresee(hosts).seen.hosts.b!;
        return cluster.foresee(
            wanted,
            but(name, () => ({ ...silent, unit: "inactive", identity, ...change })),
        );
    };

    it("takes a host that has a copied note, and no data, for none of the members", () => {
        assert.match(
            foreseen("abcde", "abc", "abcde", "d", { hasData: true }).refusal ?? "",
            /both hold the data of member/,
        );
        const { kinds, refusal } = foreseen("abcde", "abc", "abcde", "d", { hasData: false });
        assert.deepEqual([kinds.includes("remove"), kinds.includes("add-learner"), refusal], [false, true, undefined]);
    });

    it("lets such a host join before the one that it is a copy of, and that it replaces, is removed", () => {
        const { kinds, refusal } = foreseen("abcd", "abc", "acd", "d", { hasData: false });
        assert.equal(refusal, undefined);
        assert.ok(kinds.indexOf("promote") < kinds.indexOf("remove"), kinds.join());
    });

    it("judges nobody by the list of a member that was set back, and leads a cluster of its own", () => {
        const { seen, wanted } = grown("abc", "abc").foresee("abc");
        const alone: Observation = {
            ...seen,
            cluster: { ...seen.cluster!, members: seen.cluster!.members.filter(({ name }) => name === "a") },
        };
        const verdict = nextStep(alone, wanted);
        assert.equal(verdict.verdict, "wait");
        assert.match(verdict.verdict === "wait" ? (verdict.remedy ?? "") : "", /two members answer reads/);
    });

    it("judges nobody by that list when it is the one that was read: who is in it follows another leader", () => {
        const { seen, wanted } = grown("abc", "abc").foresee("abc");
        const old = but("c", ({ status }) => ({ status: { ...status!, leaderId: status!.memberId } }))(seen);
        const apart = nextStep(old, wanted);
        assert.deepEqual([apart.verdict, apart.verdict === "wait" && apart.hosts], ["wait", ["c"]]);
        assert.match(apart.verdict === "wait" ? (apart.remedy ?? "") : "", /two members answer reads/);
        const unwell = but("c", ({ status }) => ({ status: { ...status!, isHealthy: false } }))(old);
        assert.doesNotMatch(JSON.stringify(nextStep(unwell, wanted)), /two members answer reads/);
    });

    it("looks at no version of who is a member no more", () => {
        const { seen, wanted } = grown("abcde", "abc").foresee("abcde");
        const old = but("d", ({ identity }) => ({ ...silent, identity, unit: "active", version: "3.4.45" }))(seen);
        const verdict = nextStep(old, wanted);
        assert.doesNotMatch(verdict.verdict === "refuse" ? verdict.error : "", /version/);
    });

    it("takes no other cluster for the one that a restore has founded", () => {
        const { seen, wanted } = grown("abcde", "abc").foresee("abcde");
        const { clusterId } = seen.cluster!;
        const restore = { snapshot: "/root/snapshot.db", replaces: clusterId, isKnown: false };
        const third = but("d", () => ({
            ...silent,
            unit: "inactive",
            identity: { clusterToken: wanted.clusterToken, clusterId: "third", memberId: "4" },
        }))(seen);
        const refused = nextStep(third, { ...wanted, restore });
        assert.match(
            refused.verdict === "refuse" ? refused.error : refused.verdict,
            /"d" holds a member of cluster third/,
        );
        const strange = nextStep(seen, { ...wanted, knownClusterId: "ninth", restore });
        assert.match(
            strange.verdict === "refuse" ? strange.error : strange.verdict,
            /knows cluster ninth, which no host/,
        );
        const right = nextStep(seen, { ...wanted, knownClusterId: clusterId, restore });
        assert.equal(right.verdict === "step" && right.step.kind, "restore-snapshot");
    });

    it("has no last resort that an alarm forbids", () => {
        const cluster = grown("abc", "abc");
        cluster.revise();
        const unwell = but("b", ({ status }) => ({ status: { ...status!, isHealthy: false } }));
        const three = cluster.foresee("abc", unwell);
        const wanted = { ...three.wanted, hosts: three.wanted.hosts.slice(0, 2), allowEvenSize: true };
        const members = three.seen.cluster!.members.filter(({ name }) => name !== "c");
        const seen = { ...three.seen, cluster: { ...three.seen.cluster!, members } };
        const calm = nextStep(seen, wanted);
        assert.equal(calm.verdict === "wait" && calm.otherwise?.kind, "restart");
        const [first] = seen.cluster!.members;
        const alarmed = { ...seen, cluster: { ...seen.cluster!, alarms: [{ memberId: first!.id, alarm: "CORRUPT" }] } };
        const verdict = nextStep(alarmed, wanted);
        assert.deepEqual([verdict.verdict, "otherwise" in verdict], ["wait", false]);
    });
});
