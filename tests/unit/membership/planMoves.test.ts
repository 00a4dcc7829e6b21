import assert from "node:assert/strict";

import { grown, type Cluster } from "./model/cluster";
import { Endpoint } from "./model/etcd";
import { Died } from "./model/run";

/** Where they are not yet. */
const PORT = 2390;

describe("the plan for members that serve their peers elsewhere from now on", () => {
    it("moves one after the other: first the list says so, then the restart makes it true", () => {
        const cluster = grown("abc", "abc");
        for (const name of "abc") cluster.move(name, PORT);
        const moves = cluster.mustUp("abc").filter((step) => /^(update-peer|restart)/.test(step));
        const names = moves.filter((step) => step.startsWith("restart")).map((step) => step.slice(-1));
        assert.deepEqual([...names].sort(), [..."abc"]);
        assert.deepEqual(
            moves,
            names.flatMap((name) => [`update-peer ${name}`, `restart ${name}`]),
        );
    });

    it("treats one that answers no clients before it moves", () => {
        const cluster = grown("abc", "abc");
        cluster.revise("deaf");
        assert.match(cluster.up("abc").error ?? "", /not until/);
        const deaf = [..."abc"].find((name) => cluster.generationOf(name)?.includes("-r1"))!;
        cluster.revise();
        cluster.move(deaf, PORT);
        cluster.mustUp("abc");
        assert.equal(cluster.generationOf(deaf), `${deaf}-r2-p${PORT}`);
    });

    for (const [what, list] of [
        ["it stays", "abc"],
        ["it goes", "bcd"],
    ] as const) {
        it(`lists a member where it answers before anybody joins who would look for it, if ${what}`, () => {
            const cluster = grown("abcd", "a");
            cluster.move("a", PORT);
            cluster.giveLast("a");
            const steps = cluster.mustUp(list);
            const [update, add] = ["update-peer a", "add-learner b"].map((step) => steps.indexOf(step));
            assert.ok(update! >= 0 && update! < add!, steps.join("; "));
            assert.equal(cluster.voters, list);
        });
    }

    it("ends a move that was begun before it waits for a learner, who can't find the member until then", () => {
        const cluster = grown("abc", "a");
        cluster.move("a", PORT);
        const dieOnceListed = (): void => {
            if (cluster.lab.clusters[0]!.members[0]!.peerUrl.endsWith(`:${PORT}`)) throw new Died();
        };
        assert.equal(cluster.up("a", dieOnceListed).error, "died");
        new Endpoint(cluster.lab, cluster.machine("a")).addLearner(cluster.machine("b").peerUrl);
        const steps = cluster.mustUp("abc");
        const [restart, join] = ["restart a", "join b"].map((step) => steps.indexOf(step));
        assert.ok(restart! >= 0 && restart! < join!, steps.join("; "));
        assert.equal(cluster.voters, "abc");
    });

    it("leaves somebody where the list says while there is no quorum, and tells whom to declare there", () => {
        const cluster = broken("abc");
        cluster.revise();
        for (const name of "abc") cluster.move(name, PORT);
        const told = Array.from({ length: 5 }, () => cluster.up("abc").error ?? "").at(-1)!;
        const [, last] = /declare "(\w)" where it was/.exec(told) ?? [];
        assert.ok(last !== undefined, told);
        cluster.move(last, 2380);
        // What a wait in vain ends with helps, and the next run sees it.
        assert.match(cluster.up("abc").error ?? "", /not until a quorum answers/);
        cluster.mustUp("abc");
        assert.equal(cluster.voters, "abc");
    });

    /** None of its members starts. */
    function broken(names: string): Cluster {
        const cluster = grown(names, names);
        cluster.revise("crashing");
        for (const name of names) cluster.giveLast(name);
        cluster.lab.advance(5000);
        return cluster;
    }
});
