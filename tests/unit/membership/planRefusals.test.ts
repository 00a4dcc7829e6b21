import assert from "node:assert/strict";

import { nextStep } from "../../../components/membership/plan";
import type { HostSeen, Identity, Observation } from "../../../components/membership/types";
import { Cluster, grown } from "./model/cluster";
import { but, damaged, silent } from "./model/seen";

/** It has joined, and votes on nothing yet. */
function learning(name: string): (seen: Observation) => Observation {
    return (seen) => {
        const { hosts, cluster } = but(name, ({ status }) => ({
            status: { ...status!, isLearner: true, isHealthy: false },
            servesPeers: true,
        }))(seen);
        const members = cluster!.members.map((one) => (one.name === name ? { ...one, isLearner: true } : one));
        return { hosts, cluster: { ...cluster!, members } };
    };
}

describe("the plan", () => {
    it("leaves alone what is another cluster's, or nobody knows whose", () => {
        const cluster = grown("abc", "abc");
        const strange = (change: Partial<Identity>): string | undefined =>
            cluster.foresee(
                "abc",
                but("b", ({ identity }) => ({ ...silent, unit: "inactive", identity: { ...identity!, ...change } })),
            ).refusal;
        assert.match(strange({ clusterId: "other" }) ?? "", /holds a member of cluster other/);
        assert.match(strange({ clusterToken: "other" }) ?? "", /a token is for life/);
        const { kinds, refusal } = new Cluster("abc").foresee(
            "abc",
            but("b", () => ({ hasData: true })),
        );
        assert.deepEqual(kinds, []);
        assert.match(refusal ?? "", /no cluster of ours wrote/);
    });

    it("removes a learner that nobody declares if it never started, and leaves one alone that did", () => {
        const withLearner =
            (name: string) =>
            ({ hosts, cluster }: Observation): Observation => {
                const member = {
                    ...cluster!.members[0]!,
                    id: "9",
                    name,
                    peerUrls: ["https://10.9.9.9:2380"],
                    isLearner: true,
                };
                return { hosts, cluster: { ...cluster!, members: [...cluster!.members, member] } };
            };
        const cluster = grown("abc", "abc");
        const left = cluster.foresee("abc", withLearner(""));
        assert.deepEqual([left.kinds, left.refusal], [["remove"], undefined]);
        const started = cluster.foresee("abc", withLearner("x"));
        assert.deepEqual(started.kinds, []);
        assert.match(
            started.refusal ?? "",
            /members that are not declared: .*x 9 https:\/\/10\.9\.9\.9:2380.*etcdctl member remove 9/,
        );
    });

    it("restarts nobody while an alarm is raised, and nobody away from its data", () => {
        const cluster = grown("abc", "abc");
        cluster.revise();
        const alarmed = cluster.foresee("abc", ({ hosts, cluster: answering }) => ({
            hosts,
            cluster: { ...answering!, alarms: [{ memberId: answering!.members[0]!.id, alarm: "CORRUPT" }] },
        }));
        assert.match(alarmed.refusal ?? "", /has raised the alarm CORRUPT/);
        assert.ok(!alarmed.kinds.includes("restart"), alarmed.kinds.join());
        const elsewhere = cluster.foresee(
            "abc",
            but("b", () => ({ hasData: false })),
        );
        assert.match(elsewhere.refusal ?? "", /member "b" is not restarted/);
    });

    describe("while an alarm is raised", () => {
        const raised =
            (alarm: string) =>
            ({ hosts, cluster }: Observation): Observation => ({
                hosts,
                cluster: { ...cluster!, alarms: [{ memberId: cluster!.members[0]!.id, alarm }] },
            });

        it("gives members another generation when the database is full, and not when it is corrupt", () => {
            const cluster = grown("abc", "abc");
            cluster.revise();
            const full = cluster.foresee("abc", raised("NOSPACE"));
            assert.equal(full.refusal, undefined);
            assert.equal(full.kinds.filter((kind) => kind === "restart").length, 3);
            const corrupt = cluster.foresee("abc", raised("CORRUPT"));
            assert.ok(!corrupt.kinds.includes("restart"), corrupt.kinds.join());
            assert.match(corrupt.refusal ?? "", /the alarm CORRUPT, so "restart/);
        });

        for (const alarm of ["NOSPACE", "CORRUPT"]) {
            it(`adds, promotes and removes nobody: ${alarm}`, () => {
                const assertRefused = (names: string, cluster: Cluster, step: string): void => {
                    const { kinds, refusal } = cluster.foresee(names, raised(alarm));
                    assert.ok(!kinds.includes(step), kinds.join());
                    assert.match(refusal ?? "", new RegExp(`the alarm ${alarm}, so ".*${step.split("-")[0]}`));
                };
                assertRefused("abc", grown("abc", "a"), "add-learner");
                assertRefused("a", grown("abc", "abc"), "remove");
                const { kinds, refusal } = grown("abc", "abc").foresee("abc", (seen) =>
                    raised(alarm)(learning("b")(seen)),
                );
                assert.deepEqual(kinds, []);
                assert.match(refusal ?? "", new RegExp(`the alarm ${alarm}, so "promote "b"`));
            });
        }
    });

    it("changes nothing while two hosts hold the data of one member", () => {
        const { seen } = grown("abc", "abc").foresee("abc");
        const { identity } = seen.hosts.b!;
        const copied = but("c", () => ({ ...silent, unit: "inactive", identity }));
        const { kinds, refusal } = grown("abc", "abc").foresee("abc", copied);
        assert.deepEqual(kinds, []);
        assert.match(refusal ?? "", /both hold the data of member/);
    });

    it("changes nothing then also where no quorum says who is a member", () => {
        const { seen } = grown("abc", "abc").foresee("abc");
        const { identity } = seen.hosts.b!;
        const copied = but("c", () => ({ ...silent, unit: "inactive", identity }));
        const alone = (now: Observation): Observation => ({
            ...copied(but("a", () => silent)(now)),
            cluster: undefined,
        });
        const { kinds, refusal } = grown("abc", "abc").foresee("abc", alone);
        assert.deepEqual(kinds, []);
        assert.match(refusal ?? "", /hosts "b" .* and "c" .* both hold the data of member/);
    });

    describe("while nobody can be asked", () => {
        const all =
            (change: Partial<HostSeen>) =>
            (seen: Observation): Observation => ({
                hosts: [..."abc"].reduce((now, name) => but(name, () => ({ ...silent, ...change }))(now), seen).hosts,
                cluster: undefined,
            });

        it("gives what is staged to a member that does not answer, and to nobody whom no way leads to", () => {
            const cluster = grown("abc", "abc");
            cluster.revise();
            assert.deepEqual(cluster.foresee("abc", all({})).kinds[0], "activate");
            const { kinds, verdict, refusal } = cluster.foresee("abc", all({ barred: "SSH forwards nothing" }));
            assert.deepEqual([kinds, verdict], [[], "wait"]);
            assert.match(refusal ?? "", /etcd on "a", "b", "c" can be asked/);
            const both = (seen: Observation): Observation =>
                but("b", ({ serving }) => ({
                    serving: { ...serving!, clientUrl: `http://10.0.0.2:2379,${serving!.clientUrl}` },
                }))(all({ barred: "SSH forwards nothing" })(seen));
            assert.equal(cluster.foresee("abc", both).verdict, "wait");
        });

        it("goes back from a version that nobody who was started with it ever ran well", () => {
            const cluster = grown("a", "a");
            cluster.revise();
            const { kinds, refusal } = cluster.foresee("a", (seen) => ({
                ...but("a", () => ({ ...silent, unit: "activating", version: "3.7.3" }))(seen),
                cluster: undefined,
            }));
            assert.deepEqual(kinds, ["activate", "start"]);
            assert.doesNotMatch(refusal ?? "", /version/);
        });

        it("refuses a version that etcd does not upgrade to from what members were started as", () => {
            const { kinds, refusal } = grown("abc", "abc").foresee("abc", all({ version: "3.4.45" }));
            assert.deepEqual(kinds, []);
            assert.match(refusal ?? "", /version 3\.6\.16 is declared, but/);
        });
    });

    it("removes no member that runs, whose data may have come since, while the leader does not say whether it hears it", () => {
        const empty = but("b", () => ({ ...silent, unit: "activating", hasData: false }));
        const mute = (seen: Observation): Observation => {
            const { hosts, cluster } = empty(seen);
            return { hosts, cluster: { ...cluster!, isLeaderMute: true } };
        };
        const { seen, wanted } = grown("abc", "abc").foresee("abc");
        const next = (now: Observation): string => {
            const verdict = nextStep(now, wanted);
            return verdict.verdict === "step" ? verdict.step.kind : verdict.verdict;
        };
        assert.equal(next(empty(seen)), "remove");
        assert.equal(next(mute(seen)), "wait");
    });

    it("gives what is staged to a leader that answers no clients, before anybody is asked about one that has no data", () => {
        const cluster = grown("abcde", "abcde");
        cluster.revise();
        const { seen, wanted } = cluster.foresee("abcde", (now) => {
            const leaderId = now.cluster!.members.find(({ name }) => name === "b")!.id;
            const following = [..."cde"].map((name) =>
                but(name, ({ status }) => ({ status: { ...status!, leaderId } })),
            );
            const empty = but("a", () => ({ ...silent, unit: "activating", hasData: false }));
            const deaf = but("b", () => ({ ...silent, unit: "active" }));
            const { hosts, cluster: led } = [...following, empty, deaf].reduce((world, change) => change(world), now);
            return { hosts, cluster: { ...led!, leaderId } };
        });
        const verdict = nextStep(seen, wanted);
        const next =
            verdict.verdict === "wait" ? verdict.otherwise : verdict.verdict === "step" ? verdict.step : undefined;
        assert.deepEqual([next?.kind, next && "host" in next && next.host], ["restart", "b"]);
    });

    it("removes nobody who can't be seen, and whom the quorum may rest on", () => {
        const lost = { ...silent, reach: { ok: false, reason: "no route to host" } } as const;
        const unseen = (seen: Observation): Observation => but("b", () => lost)(but("c", () => lost)(seen));
        const { kinds, refusal } = grown("abc", "abc").foresee("a", unseen);
        assert.ok(!kinds.includes("remove"), kinds.join());
        assert.match(refusal ?? "", /1 of the 2 voters that stay take part and 2 must/);
    });

    it("does nothing about a damaged log where nobody else has a copy", () => {
        const { kinds, refusal } = grown("a", "a").foresee("a", damaged("a"));
        assert.deepEqual(kinds, []);
        assert.match(refusal ?? "", /a quorum answers/);
    });

    it("refuses an even size, and says what to declare", () => {
        assert.match(grown("abcd", "abc").foresee("abcd").refusal!, /allowEvenSize/);
    });
});
