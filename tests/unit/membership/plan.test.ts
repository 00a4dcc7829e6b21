import assert from "node:assert/strict";

import { EDITED } from "../../../components/host/generation";
import { nextStep, otherHalf } from "../../../components/membership/plan";
import type { HostSeen, Observation, Step, Wait } from "../../../components/membership/types";
import { grown } from "./model/cluster";
import type { Machine } from "./model/machine";
import { Died } from "./model/run";
import { but, damaged, silent } from "./model/seen";

describe("the plan", () => {
    it("moves the data of a member that was removed aside before anything starts on it", () => {
        const former = but("b", ({ identity }) => ({
            ...silent,
            unit: "inactive",
            identity: { ...identity!, memberId: "gone" },
        }));
        assert.equal(grown("abc", "abc").foresee("abc", former).kinds[0], "set-aside");
    });

    it("tells the list where a member is now, whether it answers or not", () => {
        for (const change of [{}, silent]) {
            const moved = (seen: Observation): Observation => {
                const { hosts, cluster } = but("b", () => change)(seen);
                const members = cluster!.members.map((member) =>
                    member.name === "b" ? { ...member, peerUrls: ["https://10.0.0.99:2380"] } : member,
                );
                return { hosts, cluster: { ...cluster!, members } };
            };
            const { kinds } = grown("abc", "abc").foresee("abc", moved);
            assert.deepEqual(kinds.slice(0, 2), ["let-in", "update-peer"]);
            assert.ok(!kinds.includes("remove"), kinds.join());
        }
    });

    it("is empty when all is as declared, and when only the order of the list was changed", () => {
        const cluster = grown("abc", "abc");
        assert.deepEqual(cluster.mustUp("abc"), []);
        assert.deepEqual(cluster.mustUp("cba"), []);
    });

    it("lets followers go before the leader, moves the lead before it removes who has it, and retires a host only after its member is gone", () => {
        const cluster = grown("abc", "abc");
        const steps = cluster.mustUp("c");
        assert.equal(cluster.voters, "c");
        assert.ok(steps.indexOf("remove b") < steps.indexOf("move-leader c"), steps.join(", "));
        assert.ok(steps.indexOf("move-leader c") < steps.indexOf("remove a"), steps.join(", "));
        for (const name of "ab")
            assert.ok(steps.indexOf(`remove ${name}`) < steps.indexOf(`retire ${name}`), steps.join(", "));
    });

    it("starts a member that is declared no more, and whose unit is gone, where the quorum needs it to be let go", () => {
        const cluster = grown("abc", "abc");
        for (const name of "bc") {
            const machine = cluster.lab.machines.find((one) => one.name === name)!;
            Object.assign(machine, { hasUnit: name === "c", isEnabled: false, service: undefined });
        }
        cluster.lab.machines[2]!.isPowered = false;
        const steps = cluster.mustUp("a");
        assert.deepEqual(steps.slice(0, 2), ["activate b", "start b"]);
        assert.equal(cluster.voters, "a");
    });

    it("replaces a member whose log is damaged by a copy of what the others have, and touches no other", () => {
        const { kinds, refusal } = grown("abc", "abc").foresee("abc", damaged("b"));
        assert.equal(refusal, undefined);
        const wanted = ["remove", "set-aside", "add-learner", "join", "promote"];
        assert.deepEqual(
            kinds.filter((kind) => wanted.includes(kind)),
            wanted,
        );
    });

    it("removes a dead member before it adds another", () => {
        const cluster = grown("abcd", "abc");
        const dead = cluster.lab.machines.find(({ name }) => name === "c")!;
        dead.isPowered = false;
        dead.service = undefined;
        const { steps, error } = cluster.up("abd");
        assert.equal(error, undefined);
        assert.ok(steps.indexOf("remove c") < steps.indexOf("add-learner d"), steps.join(", "));
        assert.equal(cluster.voters, "abd");
    });

    it("restarts followers first, and the leader last, after it has handed over", () => {
        const cluster = grown("abc", "abc");
        cluster.revise();
        const steps = cluster.mustUp("abc");
        assert.equal(steps.filter((step) => step.startsWith("restart")).length, 3);
        assert.match(steps.at(-2)!, /^move-leader/);
        assert.match(steps.at(-1)!, /^restart/);
    });

    it("restarts nobody for an edit that is taken back, and was linked to and not started", () => {
        const cluster = grown("abc", "abc");
        cluster.revise();
        const isLinked = ({ current, service }: Machine): boolean => current !== service?.generation;
        const dieOnceLinked = (): void => {
            if (cluster.lab.machines.some(isLinked)) throw new Died();
        };
        assert.equal(cluster.up("abc", dieOnceLinked).error, "died");
        const { name } = cluster.lab.machines.find(isLinked)!;
        cluster.lab.revisions.pop();
        assert.deepEqual(cluster.mustUp("abc"), [`activate ${name}`]);
        assert.ok(!cluster.lab.machines.some(isLinked));
    });

    describe("where another generation than the one that runs would be started next", () => {
        const astray = { current: "former" };
        const onAll = (change: Partial<HostSeen>) => (seen: Observation) =>
            [..."abc"].reduce((all, name) => but(name, () => change)(all), seen);

        it("links back on all hosts at once, the leader's as well, also where nothing is linked to", () => {
            for (const change of [astray, { current: undefined }]) {
                const { seen, wanted, kinds } = grown("abc", "abc").foresee("abc", onAll(change));
                assert.deepEqual(kinds, ["activate"]);
                const verdict = nextStep(seen, wanted);
                assert.ok(verdict.verdict === "step" && verdict.step.kind === "activate");
                assert.deepEqual(verdict.step.hosts, ["a", "b", "c"]);
            }
        });

        it("links back where members are well, and before one that is ill is waited for", () => {
            const { seen, wanted } = grown("abc", "abc").foresee("abc", (all) =>
                but("c", () => silent)(onAll(astray)(all)),
            );
            const verdict = nextStep(seen, wanted);
            assert.ok(verdict.verdict === "step" && verdict.step.kind === "activate");
            assert.deepEqual(verdict.step.hosts, ["a", "b"]);
        });

        it("restarts a member that was started with something else", () => {
            for (const running of ["former", `${EDITED}b-r0-p2380`]) {
                const { kinds } = grown("abc", "abc").foresee(
                    "abc",
                    but("b", () => ({ ...astray, running })),
                );
                assert.equal(kinds.at(-1), "restart");
                assert.ok(!kinds.includes("activate"), kinds.join());
            }
        });
    });

    it("touches one member only when a generation does not start, and none but that one on the way back", () => {
        const cluster = grown("abc", "abc");
        cluster.revise("crashing");
        const broken = cluster.up("abc");
        assert.notEqual(broken.error, undefined);
        const name = /^(\w): /.exec(broken.error!)?.[1];
        const untouched = [..."abc"].filter((other) => other !== name);
        for (const other of untouched) assert.equal(cluster.generationOf(other), `${other}-r0-p2380`);
        cluster.revise();
        const healed = cluster.mustUp("abc");
        assert.match(healed[0]!, new RegExp(`^(restart|activate|start) ${name}$`));
    });

    it("starts who was given a generation as a last resort, in the same run, unless that was enough, or it is somebody else's turn", () => {
        const activate: Step = { kind: "activate", hosts: ["a"], because: "" };
        const start: Step = { kind: "start", host: "a", because: "" };
        const until = (condition: string, otherwise: Step): Wait => {
            return { verdict: "wait", until: condition, deadlineSeconds: 1, hosts: [], otherwise };
        };
        const before = until("a quorum answers", activate);
        assert.equal(otherHalf(before, until("a quorum answers", start)), start);
        assert.equal(otherHalf(before, until("a quorum answers", { ...start, host: "b" })), undefined);
        assert.equal(otherHalf(before, until("a quorum answers", activate)), undefined);
        assert.equal(otherHalf(before, until("all are healthy", start)), undefined);
        assert.equal(otherHalf(before, { verdict: "done" }), undefined);
        assert.equal(otherHalf(until("a quorum answers", start), until("a quorum answers", start)), undefined);
    });
});
