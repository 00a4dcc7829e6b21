import assert from "node:assert/strict";

import { desiredOf, type MembershipInputs } from "../../../components/membership/inputs";
import { nextStep, wholePlan } from "../../../components/membership/plan";
import type { Desired, HostSeen, Observation } from "../../../components/membership/types";
import { changed, found, told, wanted as declared } from "../adoption/found";

const wanted: Desired = { ...declared, isTakingOver: true };

/** Its unit was stopped before its turn: what is seen is a host with our files, and nothing else. */
const stopped: Partial<HostSeen> = { foreign: undefined, unit: "absent", status: undefined, servesPeers: false };
const isElsewhere = { ...stopped, hasData: false };

function refusal(seen: Observation, by = wanted): string {
    const verdict = nextStep(seen, by);
    assert.equal(verdict.verdict, "refuse", JSON.stringify(verdict));
    return verdict.verdict === "refuse" ? verdict.error : "";
}

/** The plan's world just before its first step of a kind. */
function before(kind: string): Observation {
    const { steps, worlds } = wholePlan(found, wanted);
    return worlds[steps.findIndex((step) => step.kind === kind)]!;
}

/** A host that was taken over, then lost its data, and whose member was removed for it. */
function replaced(seen: Observation, name: string): Observation {
    const bare: Partial<HostSeen> = { identity: undefined, initialCluster: undefined, initialClusterState: undefined };
    const cluster = seen.cluster!;
    const members = cluster.members.filter((member) => member.name !== name);
    const gone = { ...isElsewhere, ...bare, unit: "inactive", running: undefined, serving: undefined } as const;
    return { ...changed(seen, name, gone), cluster: { ...cluster, members } };
}

describe("the plan for a cluster that is taken over", () => {
    it("takes a member that was stopped before its turn for nothing else, wherever its data is", () => {
        for (const change of [isElsewhere, { ...stopped, hasData: true }]) {
            const error = refusal(changed(found, "c", change));
            assert.match(error, /host "c" \(10\.0\.0\.3\): its etcd is to be taken over and does not run/);
            assert.match(
                error,
                /start it as it was set up, .*if its data is lost for good: etcdctl member remove id-c$/,
            );
        }
    });

    it("says so without a quorum as well, and never that its data is to be moved away", () => {
        const alone = { ...found, cluster: undefined };
        const error = refusal(changed(alone, "a", { ...stopped, hasData: true }));
        assert.match(error, /host "a" .* start it as it was set up, and run pulumi up$/);
    });

    it("founds no cluster when all of it has stopped and no state knows it", () => {
        const hosts = ["a", "b", "c"].reduce((seen, name) => changed(seen, name, isElsewhere), found);
        const empty = { ...hosts, cluster: undefined };
        assert.match(refusal(empty), /^no cluster is founded: one is to be taken over/);
        assert.equal(nextStep(empty, declared).verdict, "step");
    });

    it("removes nobody from a cluster with a member that nothing declares, not even a learner that never started", () => {
        const member = { id: "id-d", name: "d", peerUrls: ["https://10.0.0.4:2380"], clientUrls: [], isLearner: false };
        const leftover = { ...member, id: "id-e", name: "", peerUrls: ["https://10.0.0.5:2380"], isLearner: true };
        const withMembers = (...more: readonly (typeof member)[]): Observation => ({
            ...found,
            cluster: { ...found.cluster!, members: [...found.cluster!.members, ...more] },
        });
        const error = refusal(withMembers(leftover, member));
        assert.match(error, /members that are not declared: "d id-d .*etcdctl member remove id-d$/);
        assert.doesNotMatch(error, /id-e/);
        assert.equal(wholePlan(withMembers(leftover), wanted).steps[0]?.kind, "remove");
    });

    it("is that for as long as something is inherited, which a preview may not know yet", () => {
        const inputs = { hosts: [] } as unknown as MembershipInputs;
        const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
        const inherited = (value: unknown): boolean | undefined =>
            desiredOf({}, { ...inputs, inherited: value } as MembershipInputs).isTakingOver;
        assert.equal(inherited({ clientCa: "", peerCa: "", isPlain: true }), true);
        assert.equal(inherited(undefined), undefined);
        assert.equal(inherited(unknown), undefined);
    });

    it("lets nobody join whom members without certificates would have to call: those are taken over before", () => {
        const seen = replaced(before("move-leader"), "a");
        const { steps, refusal: reason } = wholePlan(seen, wanted);
        const kinds = steps.map(({ kind }) => kind);
        assert.equal(reason, undefined);
        assert.ok(kinds.includes("add-learner"));
        assert.ok(kinds.lastIndexOf("take-over") < kinds.indexOf("add-learner"), kinds.join(" "));
    });

    it("ends the change of a peer URL that was begun before somebody joins, whom etcd would not take", () => {
        const seen = replaced(before("secure-peers"), "a");
        const kinds = wholePlan(seen, wanted).steps.map(told);
        assert.equal(kinds[0], "secure-peers b", kinds.join(", "));
        assert.ok(kinds.includes("add-learner a"));
    });

    it("replaces a half-way member whose log is damaged, which no restart with TLS helps", () => {
        const ill = { unit: "activating", status: undefined, servesPeers: false } as const;
        const seen = before("secure-peers");
        const first = (change: Partial<HostSeen>): string =>
            told(wholePlan(changed(seen, "b", change), wanted).steps[0]!);
        assert.equal(first(ill), "secure-peers b");
        assert.equal(first({ ...ill, isDamaged: true }), "remove");
    });

    it("takes no member for half-way that is called without TLS, and is declared at another port", () => {
        const hosts = wanted.hosts.map((host) => {
            return host.name === "c" ? { ...host, peerUrl: "https://10.0.0.3:2390", peerPort: 2390 } : host;
        });
        const kinds = wholePlan(before("update-peer"), { ...wanted, hosts }).steps.map(told);
        assert.equal(kinds[0], "update-peer c", kinds.join(", "));
        const halfWay = changed(before("secure-peers"), "b", { status: undefined, servesPeers: false });
        assert.equal(told(wholePlan(halfWay, { ...wanted, hosts }).steps[0]!), "secure-peers b");
    });
});
