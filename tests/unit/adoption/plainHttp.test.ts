import assert from "node:assert/strict";

import { renderEnvironment } from "../../../components/host/environment";
import { hostPaths } from "../../../components/host/paths";
import { renderUnit } from "../../../components/host/unit";
import { wholePlan } from "../../../components/membership/plan";
import { predict } from "../../../components/membership/predict";
import { settingsOf } from "../host/settings";
import { changed, found, told, wanted, wantedHosts } from "./found";

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
