import assert from "node:assert/strict";

import { grown, type Cluster } from "./model/cluster";
import { Endpoint } from "./model/etcd";
import { quorum, voters } from "./model/raft";

const ELSEWHERE = "10.1.0.1";

describe("the model of members between two places", () => {
    it("keeps the connections of one whose certificate is for another address by now, and gives it no new ones", () => {
        const cluster = grown("abc", "abc");
        cluster.readdress("a", ELSEWHERE);
        cluster.stage("abc");
        assert.deepEqual(pairs(cluster), ["ab", "ac", "bc"]);
        cluster.restart("c");
        assert.deepEqual(pairs(cluster), ["ab", "bc"]);
    });

    it("has one that leads unheard by a member that starts anew, which others hear", () => {
        const cluster = grown("abc", "abc");
        lead(cluster, "a");
        cluster.readdress("a", ELSEWHERE);
        cluster.stage("abc");
        cluster.restart("c");
        cluster.lab.advance(60_000);
        assert.equal(cluster.isReady("c"), false);
        lead(cluster, "b");
        cluster.lab.advance(1000);
        assert.equal(cluster.isReady("c"), true);
    });

    it("lets one that the list has at another port call those that start anew", () => {
        const cluster = grown("abc", "abc");
        update(cluster, "a", "https://10.0.0.1:2390");
        cluster.restart("c");
        assert.deepEqual(pairs(cluster), ["ab", "ac", "bc"]);
        const { network } = cluster.lab;
        assert.equal(network.hears(cluster.machine("b"), cluster.machine("a")), true);
        assert.equal(network.hears(cluster.machine("c"), cluster.machine("a")), false);
    });

    it("keeps two connected whom the list has elsewhere, until one of them starts anew", () => {
        const cluster = grown("abc", "abc");
        update(cluster, "a", "https://10.0.0.1:2390");
        update(cluster, "b", "https://10.0.0.2:2390");
        assert.deepEqual(pairs(cluster), ["ab", "ac", "bc"]);
        cluster.restart("b");
        assert.deepEqual(pairs(cluster), ["ac", "bc"]);
    });

    it("cuts off one that has lost its address, which starts at one that it has and at no other", () => {
        const cluster = grown("abc", "abc");
        cluster.readdress("a", ELSEWHERE, true);
        assert.deepEqual(pairs(cluster), ["bc"]);
        cluster.restart("a");
        assert.equal(cluster.machine("a").service?.phase, "failing");
        cluster.stage("abc");
        for (const machine of cluster.lab.machines) machine.peers = [...machine.peers!, ELSEWHERE];
        cluster.giveLast("a");
        cluster.lab.advance(3000);
        // The list has it where it was: it calls the others.
        assert.deepEqual(pairs(cluster), ["ab", "ac", "bc"]);
    });

    it("elects nobody of two that can't call each other", () => {
        const cluster = grown("abc", "abc");
        cluster.readdress("a", ELSEWHERE);
        cluster.stage("abc");
        cluster.restart("b");
        cluster.machine("c").service = undefined;
        cluster.lab.advance(60_000);
        const [all] = cluster.lab.clusters;
        assert.equal(cluster.lab.raft.hasQuorum(all!), false);
        assert.equal(quorum(voters(all!).length), 2);
    });

    /** Who is connected to whom. */
    function pairs({ lab }: Cluster): readonly string[] {
        return lab.machines.flatMap((one, index) =>
            lab.machines
                .slice(index + 1)
                .filter((other) => lab.network.areConnected(one, other))
                .map((other) => one.name + other.name),
        );
    }

    function update({ lab }: Cluster, name: string, peerUrl: string): void {
        const target = lab.machines.find((one) => one.name === name)!;
        new Endpoint(lab, lab.raft.leads(lab.clusters[0]!)!).update(lab.memberOn(target)!.member.id, peerUrl);
    }

    function lead({ lab }: Cluster, name: string): void {
        const target = lab.machines.find((one) => one.name === name)!;
        const id = lab.memberOn(target)!.member.id;
        if (lab.clusters[0]!.leaderId !== id) new Endpoint(lab, lab.raft.leads(lab.clusters[0]!)!).moveLeader(id);
    }
});
