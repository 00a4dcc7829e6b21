import assert from "node:assert/strict";

import { hasPrinted, step } from "../integration/moments";
import { FaultBed, lookAfter } from "./faultBed";

/** A leader that dies without a word: as long as nobody may be able to write. */
const ELECTION_MS = 3000;

describe("fault: hosts that are silent, and networks that are bad", () => {
    const cluster = "network";
    const all = ["a", "b", "c"];
    let site: FaultBed;

    before(async () => {
        site = await FaultBed.open(cluster, "10.107.4", 3);
        await site.mustUp(3);
    });

    lookAfter(
        () => site,
        () => site.mustUp(3),
    );

    const addresses = (names: readonly string[]): readonly string[] => names.map((name) => site.host(name).address);

    async function followerAndLeader(): Promise<{ follower: string; led: string }> {
        const led = await site.leader(all);
        return { led, follower: all.find((name) => name !== led)! };
    }

    it("a frozen follower's host: the others go on, and a run ends in bounded time and names it", async () => {
        const { follower } = await followerAndLeader();
        await site.work("the host of a follower is frozen");
        await site.host(follower).freeze();
        await site.progress();
        const run = await site.mustRefuse(3, new RegExp(`host "${follower}"`));
        assert.ok(run.seconds < 120, `${run.seconds} s`);
        await site.progress();
        await site.host(follower).thaw();
        await site.converges(3);
    });

    it("a frozen leader's host: another one is elected, and a run ends in bounded time and names it", async () => {
        const { led } = await followerAndLeader();
        await site.work("the host of the leader is frozen");
        await site.host(led).freeze();
        await site.progress(50);
        const run = await site.mustRefuse(3, new RegExp(`host "${led}"`));
        assert.ok(run.seconds < 120, `${run.seconds} s`);
        await site.host(led).thaw();
        await site.converges(3);
    });

    it("a leader's host that is killed: another one is elected within seconds, and nothing is lost", async () => {
        const { led } = await followerAndLeader();
        await site.work("the host of the leader is killed");
        await site.host(led).kill();
        await site.progress(50);
        await site.host(led).start();
        const run = await site.mustUp(3);
        const report = await site.endWork(all);
        const gap = report!.phases.find(({ name }) => name.endsWith("killed"))!.longestGapMs;
        assert.ok(gap <= ELECTION_MS, `${gap} ms`);
        assert.doesNotMatch(run.text, /remove|add "/);
        await site.isDone(3);
    });

    it("a member that its peers can't reach: the majority goes on, and the plan refuses to remove a healthy one", async () => {
        const { led, follower } = await followerAndLeader();
        const [other = ""] = all.filter((name) => name !== led && name !== follower);
        await site.work("a member is partitioned from its peers");
        await site.host(follower).partitionFrom(addresses([led, other]));
        await site.progress(50);
        const before = await site.memberId(led, other);
        const run = await site.up([led, follower], { allowEvenSize: true });
        assert.notEqual(run.code, 0, run.text);
        assert.match(run.text, new RegExp(`"${follower}"`));
        assert.equal(await site.memberId(led, other), before, "a member that is well was removed");
        await site.host(follower).heal();
        await site.converges(3);
    });

    it("half of a host's packets lost: the majority goes on, and the cluster converges when they are not", async () => {
        const { follower } = await followerAndLeader();
        await site.work("50 % of a host's packets are lost");
        await site.host(follower).delay({ ms: 0, lossPercent: 50 });
        await site.progress(50);
        const run = await site.up(3, { tuning: { snapshotCount: 5000 } });
        console.log(`      ended with ${run.code} after ${run.seconds.toFixed(0)} s`);
        assert.ok(run.seconds < 300, `${run.seconds} s`);
        await site.progress(50);
        await site.host(follower).heal();
        await site.converges(3, { tuning: { snapshotCount: 5000 } });
    });

    it("75 ms more, give or take 50, to and from every host: shrinks and grows all the same", async () => {
        await site.mustUp(["a"]);
        await Promise.all(all.map((name) => site.host(name).delay({ ms: 75, jitterMs: 50 })));
        // A write to three takes two round trips, 0.3 s; one on a new connection some more.
        await site.work("every packet is late by 75±50 ms", undefined, 2000);
        await site.mustUp(3);
        await Promise.all(all.map((name) => site.host(name).heal()));
        await site.converges(3);
    });

    /** Names the files that membership and staging write which are empty, or end within a line. */
    const halfWritten = `
        for file in /etc/etcd/${cluster}/*.* /etc/etcd/${cluster}/identity /etc/etcd/${cluster}/generations/*/* /etc/systemd/system/etcd-${cluster}*.service; do
            case $file in *.new) continue ;; esac
            ! [ -f "$file" ] || [ "$(tail -c 1 "$file" | od -An -tx1)" = " 0a" ] || echo "$file"
        done`;

    it("SSH dropped in the middle of a command: nothing is half-written, and the next run goes on", async () => {
        await site.mustUp(["a"]);
        await site.work("SSH is dropped");
        let failed = 0;
        for (let number = 1; number <= 6; number += 1) {
            const running = site.project.startUp(site.declared(3));
            if (!(await hasPrinted(running, step(cluster, number)))) break;
            // All sessions of all hosts, with the commands that run in them.
            await Promise.all(
                all.map((name) =>
                    site.host(name).output("kill -KILL $(pgrep -f '^sshd: root') $(pgrep -x flock); true"),
                ),
            );
            const run = await running.finished;
            console.log(`      dropped after step ${number}: ${run.code === 0 ? "came through" : "failed"}`);
            failed += run.code === 0 ? 0 : 1;
            for (const name of all) assert.equal(await site.host(name).output(halfWritten), "", `on "${name}"`);
        }
        assert.ok(failed > 0, "no run was cut off");
        await site.converges(3);
    });
});
