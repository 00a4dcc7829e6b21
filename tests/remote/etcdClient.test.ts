import assert from "node:assert/strict";

import { ConnectionPool } from "../../components/remote/connectionPool";
import type { EtcdClient } from "../../components/remote/etcdClient";
import type { Lab, LabHost } from "../../lab";
import { EtcdHosts } from "./etcdHosts";
import { etcdFailure, openHosts } from "./hosts";
import { until } from "./until";

/** What a call is answered is told here, not how soon: a busy machine may need a while for two members to agree. */
const PATIENT = { timeoutSeconds: 30 };

for (const version of ["3.4", "3.5", "3.6", "3.7"]) {
    describe(`etcd ${version} through SSH`, () => {
        const pool = new ConnectionPool();
        let lab: Lab;
        let [a, b]: LabHost[] = [];
        let etcd: EtcdHosts;
        let client: EtcdClient;

        before(async () => {
            lab = await openHosts();
            [a, b] = [lab.host("a"), lab.host("b")];
            etcd = await EtcdHosts.open(lab, pool, version);
            client = await etcd.bootstrap(a, PATIENT);
        });
        after(async () => {
            client.close();
            pool.closeAll();
            await Promise.all(lab.hosts.map((host) => host.run("systemctl stop etcd-remote")));
        });

        it("tells its state, with ids as etcdctl prints them", async () => {
            const status = await client.status();
            const [, shown] = (await etcd.etcdctl(host(a), "endpoint status")).split(", ");
            assert.equal(status.memberId.padStart(16, "0"), shown?.padStart(16, "0"));
            assert.equal(status.leaderId, status.memberId);
            assert.ok(status.version.startsWith(version), status.version);
            assert.equal(status.isLearner, false);
            assert.ok(status.raftIndex >= status.raftAppliedIndex && status.raftTerm >= 2 && status.dbSizeBytes > 0);
            assert.deepEqual(await client.alarms(), []);
        });

        it("keeps what is put, and knows nothing of what was not", async () => {
            const revision = await client.put("a key", "a välue");
            assert.equal(await client.get("a key"), "a välue");
            assert.equal(await client.get("another"), undefined);
            assert.equal(BigInt(await client.put("a key", "later")), BigInt(revision) + 1n);
            assert.equal((await etcd.etcdctl(host(a), "get 'a key' --print-value-only")).trim(), "later");
        });

        it("takes a learner, makes it a voter when it is in sync, moves the leader to it and lets it go", async () => {
            const learner = await client.memberAdd(etcd.peerUrl(host(b)), true);
            assert.deepEqual(learner, {
                id: learner.id,
                name: "",
                peerUrls: [etcd.peerUrl(host(b))],
                clientUrls: [],
                isLearner: true,
            });
            await assert.rejects(client.memberAdd(etcd.peerUrl(host(b)), true), etcdFailure("peer-url-exists"));
            await assert.rejects(client.memberPromote(learner.id), etcdFailure("not-in-sync", "promote", learner.id));
            assert.deepEqual([...(await client.activePeers())], []);

            await etcd.start(host(b), [host(a), host(b)], "existing");
            await etcd.whenJoined(host(b));
            await until("the leader sees the learner", 60, async () => (await client.activePeers()).has(learner.id));
            await until("the learner is a voter", 60, () =>
                client.memberPromote(learner.id).then(
                    () => true,
                    (error: unknown) => !etcdFailure("not-in-sync")(error),
                ),
            );
            await assert.rejects(client.memberPromote(learner.id), etcdFailure("not-learner"));

            const second = await etcd.client(host(b), PATIENT);
            await until("the second member is healthy", 60, () => second.isHealthy());
            const { memberId: first } = await client.status();
            const expected = [first, learner.id].map((id, index) => ({
                id,
                isLearner: false,
                name: "ab"[index] ?? "",
            }));
            for (const linearizable of [true, false]) {
                const members = await second.memberList({ linearizable });
                const seen = members.map(({ id, isLearner, name }) => ({ id, isLearner, name }));
                assert.deepEqual(sortById(seen), sortById(expected));
            }

            await assert.rejects(second.moveLeader(learner.id), etcdFailure("not-leader"));
            await client.moveLeader(learner.id);
            await until("the leader has moved", 60, async () => (await client.status()).leaderId === learner.id);
            await second.moveLeader(first);
            await until("the leader is back", 60, async () => (await client.status()).leaderId === first);

            // etcd refuses a change of voters for 5 s after the last one.
            await until("the member is removed", 60, () =>
                client.memberRemove(learner.id).then(
                    () => true,
                    (error: unknown) => !etcdFailure("unhealthy-cluster")(error),
                ),
            );
            await assert.rejects(client.memberRemove(learner.id), etcdFailure("member-not-found"));
            second.close();
        });

        it("tells whether its users and roles are on", async () => {
            assert.equal(await client.hasUsers(), false);
            for (const command of ["user add root:secret", "user grant-role root root", "auth enable"])
                await etcd.etcdctl(host(a), command);
            assert.equal(await client.hasUsers(), true);
            assert.equal(await client.isHealthy(), true);
            await etcd.etcdctl(host(a), "--user root:secret auth disable");
            assert.equal(await client.hasUsers(), false);
        });

        it("refuses members that are not there, by id", async () => {
            for (const id of ["abc", "fedcba9876543210"]) {
                await assert.rejects(client.memberRemove(id), etcdFailure("member-not-found", id));
                await assert.rejects(
                    client.memberUpdate(id, ["https://10.0.0.9:2380"]),
                    etcdFailure("member-not-found", id),
                );
            }
        });
    });
}

function host(found: LabHost | undefined): LabHost {
    assert.ok(found);
    return found;
}

function sortById<T extends { readonly id: string }>(members: readonly T[]): T[] {
    return [...members].sort((x, y) => (x.id < y.id ? -1 : 1));
}
