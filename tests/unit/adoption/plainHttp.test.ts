import assert from "node:assert/strict";

import { renderEnvironment } from "../../../components/host/environment";
import { hostPaths } from "../../../components/host/paths";
import { renderUnit } from "../../../components/host/unit";
import { wholePlan } from "../../../components/membership/plan";
import { predict } from "../../../components/membership/predict";
import type { Desired, HostSeen, Observation, Step, WantedHost } from "../../../components/membership/types";
import { settingsOf } from "../host/settings";

const names = ["a", "b", "c"];
const wantedHosts = names.map((name, index): WantedHost => {
    const address = `10.0.0.${index + 1}`;
    return {
        key: name,
        name,
        address,
        peerUrl: `https://${address}:2380`,
        clientUrl: `https://${address}:2379`,
        peerPort: 2380,
        clientPort: 2379,
        ssh: { user: "root", address } as WantedHost["ssh"],
        generation: `generation-${name}`,
    };
});
const wanted: Desired = {
    cluster: "tools",
    clusterToken: "tools.prod",
    dataDir: "/var/lib/etcd/tools",
    releaseDir: "/opt/etcd/x",
    version: "3.6.16",
    hosts: wantedHosts,
    retired: [],
    knownClusterId: undefined,
    maxLearners: 2,
    allowEvenSize: false,
    firewall: false,
    timeouts: { healthSeconds: 30, syncSeconds: 300, changeSeconds: 30, lockSeconds: 0, commandSeconds: 60 },
};

function plainHost({ name }: WantedHost): HostSeen {
    return {
        name,
        reach: { ok: true },
        unit: "active",
        isEnabled: false,
        staged: `generation-${name}`,
        current: undefined,
        running: undefined,
        serving: undefined,
        machine: name,
        maxLearners: undefined,
        mayStartEmpty: false,
        hasLeft: false,
        hasData: true,
        identity: undefined,
        initialCluster: undefined,
        initialClusterState: undefined,
        peersLetIn: [],
        status: {
            memberId: `id-${name}`,
            clusterId: "cluster",
            leaderId: "id-b",
            raftIndex: 100,
            isLearner: false,
            version: "3.6.16",
            dbSizeBytes: 0,
            isHealthy: true,
        },
        foreign: { unit: "etcd.service", dataDir: "/srv/etcd", isRunning: true, leaves: {}, isPlain: true },
        servesPeers: true,
    };
}

/** Three members that were set up by hand without TLS; "b" leads. */
const found: Observation = {
    hosts: Object.fromEntries(wantedHosts.map((host) => [host.key, plainHost(host)])),
    cluster: {
        clusterId: "cluster",
        leaderId: "id-b",
        members: wantedHosts.map(({ name, address }) => ({
            id: `id-${name}`,
            name,
            peerUrls: [`http://${address}:2380`],
            clientUrls: [`http://${address}:2379`],
            isLearner: false,
        })),
        alarms: [],
    },
};

const told = (step: Step): string => `${step.kind} ${"host" in step ? step.host : "to" in step ? step.to : ""}`.trim();

function changed(seen: Observation, name: string, change: Partial<HostSeen>): Observation {
    return { ...seen, hosts: { ...seen.hosts, [name]: { ...seen.hosts[name]!, ...change } } };
}

describe("the plan for a cluster without TLS that is taken over", () => {
    const plan = wholePlan(found, wanted);

    it("exchanges all units first, then has one member after the other called with TLS, the leader last and moved first", () => {
        assert.equal(plan.refusal, undefined);
        assert.deepEqual(plan.steps.map(told), [
            "take-over a",
            "take-over c",
            "move-leader a",
            "take-over b",
            "update-peer b",
            "secure-peers b",
            "update-peer c",
            "secure-peers c",
            "move-leader b",
            "update-peer a",
            "secure-peers a",
            "record",
        ]);
    });

    it("goes on from wherever a run died, and ends with nothing left to do", () => {
        plan.worlds.forEach((world, index) => {
            assert.deepEqual(wholePlan(world, wanted).steps.map(told), plan.steps.slice(index).map(told));
        });
    });

    it("restarts a member that a run left half-way before anything else, whether or not its peers still hear it", () => {
        const index = plan.steps.findIndex(({ kind }) => kind === "secure-peers");
        const halfWay = plan.worlds[index]!;
        assert.equal(told(wholePlan(halfWay, wanted).steps[0]!), "secure-peers b");
        const silent = changed(halfWay, "b", { status: undefined, servesPeers: false });
        assert.equal(told(wholePlan(silent, wanted).steps[0]!), "secure-peers b");
    });

    it("has nobody called with TLS while a member without certificates is about, or one is ill", () => {
        const index = plan.steps.findIndex(({ kind }) => kind === "update-peer");
        for (const world of plan.worlds.slice(0, index))
            assert.notEqual(wholePlan(world, wanted).steps[0]!.kind, "update-peer");
        const ready = plan.worlds[index]!;
        const ill = changed(ready, "c", { unit: "failed", status: undefined, servesPeers: false });
        assert.equal(told(wholePlan(ill, wanted).steps[0]!), "start c");
        const stale = changed(ready, "c", { running: "another" });
        assert.equal(told(wholePlan(stale, wanted).steps[0]!), "restart c");
    });

    it("leaves a cluster alone whose members all have TLS", () => {
        assert.deepEqual(wholePlan(plan.worlds.at(-1)!, wanted).steps, []);
        const after = predict.step(plan.worlds.at(-2)!, wanted, plan.steps.at(-1)!);
        assert.deepEqual(
            after.cluster?.members.flatMap(({ peerUrls }) => peerUrls),
            wantedHosts.map(({ peerUrl }) => peerUrl),
        );
    });
});

describe("a member that is taken over without TLS", () => {
    const plain = (version: string) => ({ ...settingsOf({ version }), isTakingOver: true, isPlain: true });
    const line = (version: string, name: string): string | undefined =>
        new RegExp(`^ETCD_${name}=(.*)$`, "m").exec(renderEnvironment(plain(version)))?.[1];

    it("serves clients with and without TLS at one address, and as it did where its etcd can't", () => {
        const { address } = plain("3.6.16");
        assert.equal(line("3.6.16", "LISTEN_CLIENT_URLS"), `http://${address}:2379,https://${address}:2379`);
        assert.equal(line("3.5.16", "LISTEN_CLIENT_URLS"), `http://${address}:2379,https://${address}:2379`);
        assert.equal(line("3.4.23", "LISTEN_CLIENT_URLS"), `http://${address}:2379`);
        assert.equal(line("3.6.16", "ADVERTISE_CLIENT_URLS"), `http://${address}:2379`);
    });

    it("asks a file of membership's whether its peer port has TLS, as no other member does", () => {
        const { plainPeers } = hostPaths("tools");
        const asks = (unit: string): boolean => unit.includes("plain-peers.env");
        assert.ok(plainPeers.endsWith("plain-peers.env"));
        assert.ok(asks(renderUnit(plain("3.6.16"))));
        assert.ok(!asks(renderUnit({ ...plain("3.6.16"), isPlain: false })));
    });
});
