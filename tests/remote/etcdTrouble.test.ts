import assert from "node:assert/strict";

import { ConnectionPool } from "../../components/remote/connectionPool";
import type { EtcdClient } from "../../components/remote/etcdClient";
import type { PeerTraffic } from "../../components/remote/etcdMetrics";
import type { Lab, LabHost } from "../../lab";
import { keepFromCalling } from "../oneWay";
import { EtcdHosts } from "./etcdHosts";
import { etcdFailure, openHosts, targetOf } from "./hosts";
import { Program } from "./program";
import { until } from "./until";

describe("A client of etcd", () => {
    const pool = new ConnectionPool();
    let lab: Lab;
    let a: LabHost;
    let b: LabHost;
    let etcd: EtcdHosts;
    let client: EtcdClient;
    let learner: string;

    before(async () => {
        lab = await openHosts();
        [a, b] = [lab.host("a"), lab.host("b")];
        etcd = await EtcdHosts.open(lab, pool, "3.6");
        client = await etcd.bootstrap(a);
        learner = (await client.memberAdd(etcd.peerUrl(b), true)).id;
        await etcd.start(b, [a, b], "existing");
        await until("the leader sees the learner", 60, async () => (await client.activePeers()).has(learner));
    });
    after(async () => {
        client.close();
        pool.closeAll();
        await openHosts();
        await Promise.all(lab.hosts.map((host) => host.run("systemctl stop etcd-remote")));
    });

    /** What a status call with other settings fails with. */
    const statusWith = async (changes: Parameters<EtcdHosts["client"]>[1]): Promise<unknown> => {
        const other = await etcd.client(a, changes);
        return other.status().finally(() => other.close());
    };

    it("says that TLS fails, and why: wrong name, wrong authority, wrong or expired certificate of its own", async () => {
        await assert.rejects(statusWith({ serverName: "zebra" }), etcdFailure("unavailable", "TLS", "zebra"));
        const otherCa = await etcd.pem("peer-ca.crt");
        await assert.rejects(statusWith({ ca: otherCa }), etcdFailure("unavailable", "TLS", "certificate"));
        const [cert, key] = await Promise.all([etcd.pem("a-peer.crt"), etcd.pem("a-peer.key")]);
        await assert.rejects(statusWith({ cert, key }), etcdFailure("unavailable", "TLS", "unknown ca"));
        const [oldCert, oldKey] = await Promise.all([etcd.pem("expired.crt"), etcd.pem("expired.key")]);
        await assert.rejects(statusWith({ cert: oldCert, key: oldKey }), etcdFailure("unavailable", "TLS", "expired"));
    });

    it("keeps no process alive that has nothing more to ask", async () => {
        const access = { address: a.address, clientPort: 2379, serverName: "a", ...etcd.credentials };
        const program = new Program("idleProgram.ts", { target: targetOf(lab, a), etcd: access });
        const code = await program.exited;
        const { memberId } = await client.status();
        assert.deepEqual({ code, output: program.output }, { code: 0, output: `ran\n${memberId}\n` });
    });

    it("says that nothing listens on the port", async () => {
        const says = [`root@${a.address}: status`, `${a.address} port 4`, "Connection refused"];
        await assert.rejects(statusWith({ clientPort: 4 }), etcdFailure("unavailable", ...says));
    });

    it("is answered by a learner about itself, and refused a read", async () => {
        const second = await etcd.client(b);
        await until("the learner answers", 60, async () =>
            second.status().then(
                () => true,
                () => false,
            ),
        );
        const status = await second.status();
        assert.deepEqual({ id: status.memberId, isLearner: status.isLearner }, { id: learner, isLearner: true });
        assert.equal(await second.isHealthy(), false);
        await assert.rejects(second.get("x"), etcdFailure("learner-refuses"));
        await assert.rejects(client.moveLeader(learner), etcdFailure("bad-transferee"));
        second.close();
    });

    it("hears from a peer that counts as not connected, since the leader can't call it", async () => {
        // What the peer sends then comes by calls of its own.
        const letCall = await keepFromCalling(a, b, 2380);
        try {
            await until(
                "the leader counts it as not connected",
                10,
                async () => (await etcd.countsAsConnected(a, learner)) === "0",
            );
            const heard = async (): Promise<PeerTraffic | undefined> => (await client.activePeers()).get(learner);
            await until("it is heard", 5, async () => (await heard())?.isConnected === false);
            assert.equal(await etcd.countsAsConnected(a, learner), "0");
            await b.freezeProcess("etcd");
            assert.equal((await client.activePeers()).has(learner), false, "it says nothing any more");
        } finally {
            await b.thawProcess("etcd");
            await letCall();
        }
        await until("the leader calls it again", 20, async () => (await etcd.countsAsConnected(a, learner)) === "1");
    });

    it("hears from a peer no more that died or was cut off", async () => {
        await b.cut();
        await until("the learner that was cut off is gone", 10, async () => !(await client.activePeers()).has(learner));
        await b.heal();
        await until("the learner is back", 20, async () => (await client.activePeers()).has(learner));
        await b.output("systemctl kill --signal KILL etcd-remote; systemctl reset-failed etcd-remote");
        await until("the dead learner is gone", 5, async () => !(await client.activePeers()).has(learner));
    });

    it("gives a call up after its time, when the member is frozen, and can't tell whether it was done", async () => {
        const quick = await etcd.client(a, { timeoutSeconds: 1 });
        await quick.status();
        await a.freezeProcess("etcd");
        try {
            await assert.rejects(
                quick.put("x", "y"),
                etcdFailure("timeout", "put x", "no answer in time", "may have been done"),
            );
            await assert.rejects(quick.activePeers(), etcdFailure("timeout", "no answer in time"));
            assert.equal(await quick.isHealthy(), false);
        } finally {
            await a.thawProcess("etcd");
        }
        await until("the member answers again", 30, () => quick.isHealthy());
        quick.close();
    });

    it("says so when the SSH connection breaks, and not before it surely has", async () => {
        await a.cut();
        await assert.rejects(client.status(), etcdFailure("timeout", "no answer in time"));
        await until("the connection is known to be broken", 30, async () => {
            const failure = await client.status().catch((error: Error) => error);
            return failure instanceof Error && failure.message.includes("the connection broke");
        });
        await assert.rejects(client.status(), etcdFailure("unavailable", "the connection broke"));
        await a.heal();
        client.close();
        client = await etcd.client(a);
        assert.ok(await client.isHealthy());
    });

    it("says so when etcd dies, in the middle of a call or before it", async () => {
        await a.freezeProcess("etcd");
        const asked = assert.rejects(client.put("x", "y"), etcdFailure("unavailable", "put x"));
        await a.output("systemctl kill --signal KILL etcd-remote");
        await asked;
        await assert.rejects(client.status(), etcdFailure("unavailable", "Connection refused"));
    });
});
