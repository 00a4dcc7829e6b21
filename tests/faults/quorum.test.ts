import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { etcdctlCommand } from "../integration/fixture";
import { hasPrinted } from "../integration/moments";
import type { Running } from "../integration/project";
import { FaultBed, lookAfter } from "./faultBed";
import { rootOf } from "./signs";

describe("fault: members that are gone, and runs that meet", () => {
    const cluster = "quorum";
    const all = ["a", "b", "c"];
    let site: FaultBed;

    before(async () => {
        site = await FaultBed.open(cluster, "10.107.5", 4);
        await site.mustUp(all);
    });

    lookAfter(
        () => site,
        () => site.mustUp(all),
    );

    /** When a member's host last said so, in seconds. */
    async function lastTime(name: string, message: string): Promise<number> {
        const grep = `journalctl -u etcd-${cluster} -o short-unix --no-pager | grep -F '"msg":"${message}"' | tail -1`;
        const [seconds = ""] = (await site.host(name).output(grep)).split(" ");
        assert.match(seconds, /^\d+\.\d+$/, `"${message}" on ${name}`);
        return Number(seconds);
    }

    function snapshotsOn(name: string): string {
        return readdirSync(`${rootOf(site.host(name), site.bed.lab)}/var/lib/etcd/${cluster}.snapshots`).join();
    }

    /** A run has the stack's lock: the backend has a file of it. */
    async function isLocked(running: Running): Promise<void> {
        const locks = join(site.project.directory, "backend", ".pulumi", "locks");
        const held = (): boolean =>
            existsSync(locks) &&
            readdirSync(locks, { recursive: true }).some((entry) => String(entry).endsWith(".json"));
        while (!held()) {
            assert.equal(running.process.exitCode, null, running.printed());
            await new Promise((resolve) => setTimeout(resolve, 5));
        }
    }

    it("two runs of one stack at once: the engine lets one work and tells the other to wait", async () => {
        // Each member is restarted: the first run is at work for longer than the second one takes to find its lock.
        const changes = { logLevel: "warn" } as const;
        await site.work("two runs of one stack at once");
        const first = site.project.startUp(site.declared(all, changes));
        await isLocked(first);
        const second = await site.up(all, changes);
        assert.notEqual(second.code, 0, second.text);
        assert.match(
            second.text,
            /the stack is currently locked by 1 lock[^]*created by \S+@\S+ \(pid \d+\) at \d{4}-/,
        );
        const { code, text } = await first.finished;
        assert.equal(code, 0, text);
        await site.endWork(all);
        await site.isDone(all, changes);
        await site.mustUp(all);
    });

    it("one host of three is dead and still declared: nothing is changed, and the error says both ways out", async () => {
        await site.work("one host is dead");
        await site.host("c").kill();
        const isUntouched = await site.watch(["a", "b"]);
        const run = await site.mustRefuse(
            all,
            /host "c": root@10\.107\.5\.13: can't be reached: .*, or take it off the list/,
        );
        assert.match(run.text, /nothing was changed on any host/);
        await isUntouched();
        await site.endWork(["a", "b"]);
    });

    it("one host of three is dead and replaced by another one in the list: it is", async () => {
        await site.host("c").start();
        await site.work("a dead host is replaced");
        await site.host("c").kill();
        const run = await site.converges(["a", "b", "d"]);
        assert.match(run.text, /remove member "c"/);
        assert.match(run.text, /host "c" \(10\.107\.5\.13\) is no member any more, but could not be cleared/);
    });

    it("the dead host comes back after it was replaced: it stays out", async () => {
        await site.host("c").start();
        await site.work("a dead host comes back");
        await site.converges(["a", "b", "d"]);
        assert.equal(await site.memberId("a", "c"), undefined);
    });

    it("a dead host is replaced while the leader still writes to it: nobody waits for that", async () => {
        await site.haveLead("a");
        await site.work("a dead host is replaced that the leader writes to");
        // Without a word to anybody, as when the power goes.
        await site.host("d").cut();
        await site.host("d").kill();
        const running = site.project.startUp(site.declared(["a", "b", "c"]));
        assert.ok(await hasPrinted(running, /\[quorum\] 1\//), running.printed());
        // More than the leader's connection takes: from now on what it writes to the dead host waits, for 5 s at most.
        const put = `${etcdctlCommand(site.host("a"), cluster)} put full`;
        await site.host("a").output(`head -c 1000000 /dev/zero | tr '\\0' x | ${put}`);
        const run = await running.finished;
        assert.equal(run.code, 0, run.text);
        const seconds = (await lastTime("a", "stopped remote peer")) - (await lastTime("a", "stopping remote peer"));
        assert.ok(seconds < 1, `the leader waited ${seconds} s for its connection`);
        await site.converges(["a", "b", "c"]);
    });

    it("a member hangs while another one is removed, and etcd does not answer: the run looks what became of it, and goes on", async () => {
        await site.host("d").heal();
        await site.host("d").start();
        await site.haveLead("a");
        await site.work("a member hangs during a removal");
        await site.host("c").kill();
        const before = snapshotsOn("a");
        const running = site.project.startUp(site.declared(["a", "b", "d"]));
        assert.ok(await hasPrinted(running, /\[quorum\] 1\//), running.printed());
        while (snapshotsOn("a") === before) {
            assert.equal(running.process.exitCode, null, running.printed());
            await new Promise((resolve) => setTimeout(resolve, 5));
        }
        await site.host("b").output("kill -STOP $(pidof etcd)");
        assert.ok(await hasPrinted(running, /waiting for up to 30 s: .*no answer in time/), running.printed());
        await site.host("b").output("kill -CONT $(pidof etcd)");
        const run = await running.finished;
        assert.equal(run.code, 0, run.text);
        await site.converges(["a", "b", "d"]);
    });

    it("two hosts of three are dead: nothing is changed, and the run ends in bounded time", async () => {
        await site.mustUp(["a", "b", "d"]);
        await site.work("two of three are down", 0);
        await Promise.all([site.host("b").kill(), site.host("d").kill()]);
        const isUntouched = await site.watch(["a"]);
        // A host that has just lost its power may refuse a connection, before it takes none.
        const run = await site.mustRefuse(
            ["a", "b", "d"],
            /host "b": root@10\.107\.5\.12: (can't be reached|nothing listens on port 22)/,
        );
        assert.ok(run.seconds < 120, `${run.seconds} s`);
        await isUntouched();
        const alone = await site.mustRefuse(["a"], /not until a quorum answers \(data on "a"\)/);
        assert.match(
            alone.text,
            /begin anew from a snapshot: restore: \{ snapshot: "its path on a", replaces: "\w+" \}/,
        );
        assert.ok(alone.seconds < 120, `${alone.seconds} s`);
        await isUntouched();
        await Promise.all([site.host("b").start(), site.host("d").start()]);
        await site.converges(["a", "b", "d"]);
    });

    it("the data of two of three is gone: nothing is founded anew, and recovery is offered and not begun", async () => {
        await site.mustUp(["a", "b", "d"]);
        await site.work("the data of two of three is gone", 0);
        for (const name of ["b", "d"]) {
            await site
                .host(name)
                .output(`systemctl stop etcd-${cluster}; mv /var/lib/etcd/${cluster} /var/lib/etcd/kept`);
        }
        const isUntouched = await site.watch(["a", "b", "d"]);
        const run = await site.mustRefuse(["a", "b", "d"], /not until a quorum answers/);
        await isUntouched();
        assert.match(run.text, /restore|backup/i);
        for (const name of ["b", "d"]) {
            await site.host(name).output(`! pgrep -x etcd && ! test -e /var/lib/etcd/${cluster}/member`);
            await site
                .host(name)
                .output(`rm -rf /var/lib/etcd/${cluster}; mv /var/lib/etcd/kept /var/lib/etcd/${cluster}`);
        }
        await site.converges(["a", "b", "d"]);
    });

    it("all data is gone, and the state is kept: nothing is founded, and all goes on when the data is back", async () => {
        const hosts = ["a", "b", "d"];
        await site.mustUp(hosts);
        await site.work("all data is gone", 0);
        for (const name of hosts) {
            await site
                .host(name)
                .output(`systemctl stop etcd-${cluster}; mv /var/lib/etcd/${cluster} /var/lib/etcd/kept`);
        }
        const isUntouched = await site.watch(hosts);
        await site.mustRefuse(hosts, /was built by an earlier run, but no declared host has its data/);
        await isUntouched();
        for (const name of hosts) {
            await site.host(name).output(`! pgrep -x etcd && ! test -e /var/lib/etcd/${cluster}/member`);
            await site
                .host(name)
                .output(`rm -rf /var/lib/etcd/${cluster}; mv /var/lib/etcd/kept /var/lib/etcd/${cluster}`);
        }
        await site.converges(hosts);
        // Started one by one: members that compare their data at the same time wait for each other in vain.
        for (const name of hosts) {
            const invocation = `$(systemctl show --value --property InvocationID etcd-${cluster})`;
            const own = await site.host(name).output(`journalctl -o cat _SYSTEMD_INVOCATION_ID=${invocation}`);
            assert.match(own, /"serving peer traffic"/);
            assert.doesNotMatch(own, /failed hash kv request.*context deadline exceeded/);
        }
    });
});
