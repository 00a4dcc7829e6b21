import assert from "node:assert/strict";

import { skewedRelease } from "../../lab/release";
import { ETCD_VERSION, eventually, statusOf } from "../integration/fixture";
import { hasPrinted, step } from "../integration/moments";
import { FaultBed, lookAfter } from "./faultBed";

const HOUR = 3600;
const YEAR = 365 * 24 * HOUR;

/** Between a clock's reading on a host and ours. */
const TOLERANCE_SECONDS = 20;

describe("fault: clocks of hosts whose etcd runs", () => {
    const cluster = "clock";
    const founders = ["a", "b", "c"];
    let all: readonly string[] = founders;
    let site: FaultBed;

    before(async () => {
        const { path, sha256 } = await skewedRelease(ETCD_VERSION);
        site = await FaultBed.open(cluster, "10.141.1", 4, { install: { source: "file", path, sha256 } });
        await site.mustUp(founders);
    });

    lookAfter(
        () => site,
        () => site.mustUp((all = founders)),
    );

    /** How far the clock of a member's etcd is ahead, in seconds, by its own word: it logs who does not speak TLS, with the time. */
    async function etcdAhead(name: string): Promise<number> {
        const { address } = site.host(name);
        await site
            .host(name)
            .output(
                `bash -c 'exec 3<>/dev/tcp/${address}/2379; echo this is no TLS >&3; timeout 5 cat <&3 >/dev/null; true'`,
            );
        const lines = await site.host(name).output(`journalctl --output cat --lines 200 --unit etcd-${cluster}`);
        const last = lines.split("\n").findLast((line) => line.includes("does not look like a TLS handshake"));
        const { ts } = JSON.parse(last ?? "{}") as { ts?: string };
        return (Date.parse(ts ?? "") - Date.now()) / 1000;
    }

    /** Sets a host's clock, and settles when its etcd goes by it. */
    async function setClock(name: string, ahead: number): Promise<void> {
        await site.host(name).setClockOffset(ahead);
        await eventually(`the clock of etcd on "${name}" is ${ahead} s ahead`, 30, async () => {
            const found = await etcdAhead(name);
            assert.ok(Math.abs(found - ahead) < TOLERANCE_SECONDS, `it is ${found} s ahead`);
        });
    }

    const followersOf = (led: string): readonly string[] => all.filter((name) => name !== led);

    /** @returns what it is known by */
    async function grantLease(via: string, seconds: number, key: string): Promise<string> {
        const id = /lease (\w+) granted/.exec(await site.etcdctl(via, `lease grant ${seconds}`))![1]!;
        await site.etcdctl(via, `put --lease=${id} ${key} held`);
        return id;
    }

    async function isHeld(via: string, key: string): Promise<boolean> {
        return (await site.etcdctl(via, `get ${key} --print-value-only`)).trim() === "held";
    }

    it("a follower's clock jumps ahead while a member is replaced, and back while all are restarted", async () => {
        const led = await site.leader(all);
        const [follower = ""] = followersOf(led);
        all = [led, follower, "d"];
        await site.work("a follower's clock jumps two hours ahead, a member is replaced");
        const replacing = site.project.startUp(site.declared(all));
        assert.ok(await hasPrinted(replacing, step(cluster, 1)), replacing.printed());
        await setClock(follower, 2 * HOUR);
        assert.equal(replacing.process.exitCode, null, "the run ended before the clock jumped");
        await site.progress();
        const replaced = await replacing.finished;
        console.log(`      the run ended with ${replaced.code} after ${replaced.seconds.toFixed(0)} s`);
        assert.ok(replaced.seconds < 300, `${replaced.seconds} s`);
        if (replaced.code !== 0) assert.match(replaced.text.split("Diagnostics:")[1]!, new RegExp(`"${follower}"`));
        await site.mustRefuse(all, new RegExp(`host "${follower}" .*: its clock is 7\\d+ s ahead`));
        await setClock(follower, 0);
        await site.converges(all);

        await site.work("a follower's clock jumps two hours back, all are restarted");
        site.always = { ...site.always, tuning: { snapshotCount: 5000 } };
        const restarting = site.project.startUp(site.declared(all));
        assert.ok(await hasPrinted(restarting, step(cluster, 1)), restarting.printed());
        await setClock(follower, -2 * HOUR);
        assert.equal(restarting.process.exitCode, null, "the run ended before the clock jumped");
        await site.progress();
        const restarted = await restarting.finished;
        console.log(`      the run ended with ${restarted.code} after ${restarted.seconds.toFixed(0)} s`);
        assert.ok(restarted.seconds < 300, `${restarted.seconds} s`);
        if (restarted.code !== 0) assert.match(restarted.text.split("Diagnostics:")[1]!, new RegExp(`"${follower}"`));
        await site.progress();
        await setClock(follower, 0);
        await site.converges(all);
    });

    it("the leader's clock jumps ahead and back: it goes on to lead, and leases end in their time", async () => {
        const led = await site.leader(all);
        const [via = ""] = followersOf(led);
        await site.work("the leader's clock jumps two hours ahead, four back, and is right again");
        const { leader } = await statusOf(site.host(via), cluster);
        for (const [jump, ahead] of [2 * HOUR, -2 * HOUR, 0].entries()) {
            const [long, short] = [`long-${jump}`, `short-${jump}`];
            await grantLease(via, 600, long);
            await grantLease(via, 60, `${long}-minute`);
            await setClock(led, ahead);
            assert.ok(await isHeld(via, `${long}-minute`), "a lease ended early");
            const begun = performance.now();
            await grantLease(via, 5, short);
            assert.ok(await isHeld(via, short));
            await eventually("a lease of 5 s ends", 30, async () => assert.ok(!(await isHeld(via, short))));
            const seconds = (performance.now() - begun) / 1000;
            console.log(`      a lease of 5 s ended after ${seconds.toFixed(1)} s`);
            assert.ok(seconds >= 5, `a lease of 5 s ended after ${seconds} s`);
            assert.ok(await isHeld(via, long), "a lease ended early");
            await site.progress();
            assert.equal((await statusOf(site.host(via), cluster)).leader, leader, "another one leads");
        }
        await site.converges(all);
    });

    for (const [what, ahead, found, says] of [
        ["two years ahead: certificates have expired for it", 2 * YEAR, "ahead of", "after"],
        ["a year behind: certificates are not valid yet for it", -YEAR, "behind", "before"],
    ] as const) {
        it(`a clock is ${what}; the others go on, up names the host and changes nothing`, async () => {
            const led = await site.leader(all);
            const [follower = ""] = followersOf(led);
            const others = all.filter((name) => name !== follower);
            await site.work(`a clock is ${what}`);
            await setClock(follower, ahead);
            await site.host(follower).output(`systemctl restart --no-block etcd-${cluster}`);
            const year = new Date(Date.now() + ahead * 1000).getUTCFullYear();
            const outOfTime = new RegExp(`has expired or is not yet valid: current time ${year}-\\S+ is ${says}`);
            await eventually("the member turns the others away", 60, async () => {
                assert.match(await site.host(follower).journal(`etcd-${cluster}`), outOfTime);
            });
            await assert.rejects(site.etcdctl(led, "endpoint health --cluster"));
            await site.progress();
            const isUntouched = await site.watch(others);
            const run = await site.mustRefuse(
                all,
                new RegExp(`host "${follower}" .*: its clock is \\d+ s ${found} this machine's`),
            );
            assert.match(run.text, /nothing was changed on any host/);
            assert.ok(run.seconds < 120, `${run.seconds} s`);
            await isUntouched();
            await site.progress();
            const before = await site.startTimes(others);
            await site.host(follower).setClockOffset(0);
            await site.converges(all);
            assert.deepEqual(await site.startTimes(others), before, "another host was restarted");
        });
    }
});
