import assert from "node:assert/strict";

import { nextStep } from "../../../components/membership/plan";
import { Cluster, grown } from "./model/cluster";
import { Died } from "./model/run";
import { but } from "./model/seen";

describe("the plan", () => {
    it("bootstraps one host and flips its file, whatever comes after", () => {
        assert.deepEqual(new Cluster("a").mustUp("a").slice(-2), ["bootstrap a", "record a"]);
        const three = new Cluster("abc").mustUp("abc");
        assert.equal(three.filter((step) => step.startsWith("bootstrap")).length, 1);
        assert.equal(three[three.indexOf("bootstrap a") + 1], "record a");
    });

    it("founds on another host only after the one that was to found can't any more", () => {
        const cluster = new Cluster("ab");
        const [first] = cluster.lab.machines;
        const { error } = cluster.up("a", () => {
            if (first!.identity && !first!.service) first!.isPowered = false;
        });
        assert.match(error ?? "", /no route to host/);
        first!.isPowered = true;
        const steps = cluster.mustUp("b");
        assert.ok(steps.includes("set-aside a"), steps.join(", "));
        assert.ok(steps.indexOf("set-aside a") < steps.indexOf("bootstrap b"), steps.join(", "));
        assert.equal(first!.told, undefined);
    });

    it("grows from one to three with both learners added before the first one starts, voters one by one", () => {
        const steps = grown("abc", "a").mustUp("abc");
        const kinds = steps.map((step) => step.split(" ")[0]);
        assert.deepEqual(
            kinds.filter((kind) => ["add-learner", "join", "promote"].includes(kind!)),
            ["add-learner", "add-learner", "join", "join", "promote", "promote"],
        );
        assert.ok(kinds.indexOf("let-in") < kinds.indexOf("add-learner"), "peers are let in before one is added");
    });

    it("grows one learner at a time where etcd takes no more", () => {
        const kinds = grown("abc", "a", 1)
            .mustUp("abc")
            .map((step) => step.split(" ")[0]);
        const growth = kinds.filter((kind) => ["add-learner", "join", "promote"].includes(kind!));
        assert.deepEqual(growth, ["add-learner", "join", "promote", "add-learner", "join", "promote"]);
    });

    it("promotes learners that have started before it adds more, which would change the list under them", () => {
        const cluster = grown("abcde", "a", 4);
        cluster.up("abc", () => {
            if (cluster.isReady("c")) throw new Died();
        });
        const steps = cluster.mustUp("abcde");
        const [promoted, added] = [steps.indexOf("promote c"), steps.indexOf("add-learner d")];
        assert.ok(promoted >= 0 && promoted < added, steps.join(", "));
    });

    it("starts the next learner only when the one before it has found its peers", () => {
        const cluster = grown("abc", "a");
        const [, b, c] = cluster.lab.machines;
        cluster.up("abc", () => {
            if (b!.service) throw new Died();
        });
        assert.equal(b!.data, undefined);
        assert.equal(cluster.foresee("abc").verdict, "wait");
        assert.equal(c!.service, undefined);
        cluster.mustUp("abc");
    });

    it("adds nobody while a voter takes part and does not answer its clients", () => {
        const cluster = grown("abcde", "abc");
        cluster.up("abcde", () => {
            if (cluster.lab.machines.every(({ current }) => current !== undefined)) throw new Died();
        });
        assert.equal(cluster.foresee("abcde").kinds[0], "add-learner");
        const late = cluster.foresee("abcde", ({ hosts, cluster: answering }) => ({
            hosts: { ...hosts, b: { ...hosts.b!, unit: "activating", status: undefined, servesPeers: true } },
            cluster: answering,
        }));
        assert.equal(late.verdict, "wait");
    });

    it("promotes no learner on its own word: the leader must hear it", () => {
        const cluster = grown("abc", "a");
        cluster.up("abc", () => {
            if (cluster.lab.clusters[0]!.members.length === 3 && cluster.isReady("c")) throw new Died();
        });
        cluster.lab.advance(10_000);
        assert.ok(cluster.foresee("abc").kinds.includes("promote"));
        const cutOff = cluster.foresee("abc", ({ hosts, cluster: answering }) => {
            assert.equal(hosts.b!.status?.isLearner, true);
            assert.equal(hosts.b!.servesPeers, true);
            const [b, c] = [hosts.b!, hosts.c!].map((host) => ({ ...host, servesPeers: false }));
            return { hosts: { ...hosts, b: b!, c: c! }, cluster: answering };
        });
        assert.equal(cutOff.verdict, "wait");
    });

    it("removes no learner while the leader does not say whether it hears it", () => {
        const cluster = grown("abc", "a");
        cluster.up("abc", () => {
            if (cluster.lab.clusters[0]!.members.length === 3 && cluster.isReady("c")) throw new Died();
        });
        cluster.lab.advance(10_000);
        const { seen, wanted } = cluster.foresee("abc");
        const unheard = [..."bc"].reduce((now, name) => but(name, () => ({ servesPeers: false }))(now), seen);
        const mute = { ...unheard, cluster: { ...unheard.cluster!, isLeaderMute: true as const } };
        const [slow, unsaid] = [unheard, mute].map((now) => nextStep(now, wanted));
        assert.ok(slow?.verdict === "wait" && slow.otherwise?.kind === "remove", JSON.stringify(slow));
        assert.ok(unsaid?.verdict === "wait" && !unsaid.otherwise, JSON.stringify(unsaid));
        assert.match(
            `${unsaid.until}; ${unsaid.remedy}`,
            /says whether it hears learner "b"; "a" leads, and its metrics/,
        );
    });

    it("adds the newcomer before it removes a healthy member that it replaces", () => {
        const cluster = grown("abcd", "abc");
        const steps = cluster.mustUp("abd");
        assert.ok(steps.indexOf("promote d") < steps.indexOf("remove c"), steps.join(", "));
        assert.equal(cluster.voters, "abd");
    });

    it("foresees the very kinds of steps that a growth then takes", () => {
        const cluster = grown("abc", "a");
        const { kinds } = cluster.foresee("abc");
        const steps = cluster.mustUp("abc").map((step) => step.split(" ")[0]);
        assert.deepEqual(
            kinds.filter((kind) => kind !== "record"),
            steps.filter((kind) => kind !== "record"),
        );
    });
});
