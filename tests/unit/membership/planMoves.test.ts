import assert from "node:assert/strict";

import { readdressSilent } from "../../../components/membership/rules/readdress";
import type { World } from "../../../components/membership/types";
import { grown, type Cluster } from "./model/cluster";
import { Endpoint } from "./model/etcd";
import { Died } from "./model/run";
import { but, silent } from "./model/seen";

/** Where they are not yet. */
const PORT = 2390;
const ELSEWHERE = "10.1.0.1";

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
        const [, last] = /declare one of these where it was \("(\w)"/.exec(told) ?? [];
        assert.ok(last !== undefined, told);
        cluster.move(last, 2380);
        // What a wait in vain ends with helps, and the next run sees it.
        assert.match(cluster.up("abc").error ?? "", /not until a quorum answers/);
        cluster.mustUp("abc");
        assert.equal(cluster.voters, "abc");
    });

    it("has a member lead that others reach, and ends the move of one that they don't, before it restarts another", () => {
        const cluster = grown("abc", "abc");
        const leader = leaderOf(cluster);
        const others = [..."abc"].filter((name) => name !== leader);
        cluster.readdress(leader, ELSEWHERE);
        for (const other of others) cluster.move(other, PORT);
        const list = [...others, leader].join("");
        const steps = cluster.mustUp(list).filter((step) => /^(move-leader|update-peer|restart)/.test(step));
        assert.match(steps[0]!, /^move-leader/);
        assert.notEqual(steps[0], `move-leader ${leader}`);
        assert.deepEqual(steps.slice(1, 3), [`update-peer ${leader}`, `restart ${leader}`]);
        for (const other of others) assert.ok(steps.includes(`restart ${other}`), steps.join());
    });

    it("brings back a member that was started anew while the leader was between two addresses", () => {
        const cluster = grown("abc", "abc");
        const leader = leaderOf(cluster);
        const [other] = [..."abc"].filter((name) => name !== leader);
        cluster.readdress(leader, ELSEWHERE);
        cluster.stage("abc");
        cluster.restart(other!);
        assert.equal(cluster.isReady(other!), false);
        cluster.mustUp("abc");
    });

    it("tells to declare the leader where it was when a member doesn't reach it, and nobody else is well enough to lead", () => {
        const cluster = grown("abc", "abc");
        const leader = leaderOf(cluster);
        const [deaf, other] = [..."abc"].filter((name) => name !== leader);
        cluster.revise("deaf");
        cluster.giveLast(deaf!);
        cluster.lab.advance(3000);
        cluster.revise();
        cluster.readdress(leader, ELSEWHERE);
        cluster.stage("abc");
        cluster.giveLast(other!);
        cluster.lab.advance(3000);
        assert.equal(cluster.isReady(other!), false);
        const { error } = cluster.up("abc");
        assert.match(error ?? "", new RegExp(`declare this one where it was \\("${leader}" at https://10\\.0\\.0\\.`));
        const machine = cluster.machine(leader);
        machine.address = machine.id;
        cluster.mustUp("abc");
        machine.address = ELSEWHERE;
        cluster.mustUp("abc");
    });

    it("restarts one of two at its new address when they don't find each other without that, and there is no quorum", () => {
        const cluster = grown("ab", "a");
        cluster.allowEvenSize = true;
        cluster.mustUp("ab");
        cluster.readdress("a", ELSEWHERE);
        cluster.stage("ab");
        cluster.restart("b");
        assert.match(cluster.up("ab").error ?? "", /not until a quorum answers/);
        cluster.mustUp("ab");
        assert.equal(cluster.voters, "ab");
    });

    it("tells which of two to declare where it was when both are elsewhere, and neither finds the other", () => {
        const cluster = grown("ab", "a");
        cluster.allowEvenSize = true;
        cluster.mustUp("ab");
        cluster.readdress("a", ELSEWHERE);
        cluster.stage("ab");
        cluster.readdress("b", "10.1.0.2", true);
        cluster.giveLast("b");
        cluster.lab.advance(5000);
        const { error } = cluster.up("ab");
        assert.match(error ?? "", /declare one of these where it was \("a" at /);
        cluster.readdress("a", "10.0.0.1");
        cluster.up("ab");
        cluster.mustUp("ab");
        cluster.readdress("a", ELSEWHERE);
        cluster.mustUp("ab");
    });

    it("ends the move of an only member that is declared no more before others join, who would not find it", () => {
        const cluster = grown("ab", "a");
        cluster.readdress("a", ELSEWHERE);
        cluster.stage("a");
        const steps = cluster.mustUp("b");
        const [restart, add] = ["restart a", "add-learner b"].map((step) => steps.indexOf(step));
        assert.ok(restart! >= 0 && restart! < add!, steps.join("; "));
        assert.equal(cluster.voters, "b");
    });

    describe("of a silent member, which may live on at another machine", () => {
        /** "b" is declared at another address; what is seen of it and the others, which lead. */
        function moved(): ReturnType<Cluster["foresee"]> & { readonly leader: string } {
            const cluster = grown("abc", "abc");
            cluster.readdress("b", ELSEWHERE, true);
            cluster.stage("b");
            const isSilent = but("b", () => ({ ...silent, unit: "inactive" }));
            const leader = leaderOf(cluster);
            assert.notEqual(leader, "b");
            return { ...cluster.foresee("abc", isSilent), leader };
        }

        it("lists it there when the leader hears it nowhere", () => {
            assert.equal(readdressSilent(moved())?.verdict, "step");
        });

        const says = (world: World, remedy: RegExp): void => {
            const verdict = readdressSilent(world);
            assert.ok(verdict?.verdict === "wait", verdict?.verdict);
            assert.equal(verdict.otherwise, undefined);
            assert.match(verdict.remedy ?? "", remedy);
        };

        it("waits while the leader does not say whom it hears", () => {
            const { seen, wanted, leader } = moved();
            const mute = { ...seen, cluster: { ...seen.cluster!, isLeaderMute: true as const } };
            says({ seen: mute, wanted }, new RegExp(`"${leader}" leads, and its metrics can't be read`));
        });

        it("waits while the leader can't be asked", () => {
            const { seen, wanted, leader } = moved();
            const unasked = but(leader, () => ({ status: undefined }))(seen);
            says({ seen: unasked, wanted }, new RegExp(`"${leader}" leads and can't be asked: bring its host back`));
        });

        it("gives a leader that can't be asked what is staged for it, as the last resort", () => {
            const { seen, wanted, leader } = moved();
            const deaf = but(leader, () => ({ ...silent, unit: "active", running: "another" }))(seen);
            const verdict = readdressSilent({ seen: deaf, wanted });
            const { name: host, generation } = wanted.hosts.find(({ name }) => name === leader)!;
            const otherwise = verdict?.verdict === "wait" ? verdict.otherwise : undefined;
            assert.ok(otherwise?.kind === "restart", verdict?.verdict);
            assert.deepEqual(
                [wanted.hosts.find(({ key }) => key === otherwise.host)!.name, otherwise.generation],
                [host, generation],
            );
        });

        it("waits while it leads itself, and says which machine is to be powered off", () => {
            const { seen, wanted } = moved();
            const leaderId = seen.cluster!.members.find(({ name }) => name === "b")!.id;
            const leads = { ...seen, cluster: { ...seen.cluster!, leaderId } };
            says({ seen: leads, wanted }, /power off the machine that it is on \(https:\/\/10\.0\.0\.2:2380\)/);
            const here = but("b", () => ({ ...silent, unit: "active" }))(seen);
            const leadsHere = { ...here, cluster: leads.cluster };
            assert.equal(readdressSilent({ seen: leadsHere, wanted })?.verdict, "step", "it is this one");
        });
    });

    it("has a member's file say where the list has it before it is there, for the time when nobody answers", () => {
        const cluster = grown("abc", "abc");
        cluster.move("b", PORT);
        const steps = cluster.mustUp("abc");
        const order = ["update-peer b", "record b", "restart b"].map((step) => steps.indexOf(step));
        assert.deepEqual(
            order,
            [...order].sort((one, other) => one - other),
        );
        assert.ok(order[0]! >= 0, steps.join("; "));
    });

    function leaderOf({ lab }: Cluster): string {
        return lab.raft.leads(lab.clusters[0]!)!.name;
    }

    /** None of its members starts. */
    function broken(names: string): Cluster {
        const cluster = grown(names, names);
        cluster.revise("crashing");
        for (const name of names) cluster.giveLast(name);
        cluster.lab.advance(5000);
        return cluster;
    }
});
