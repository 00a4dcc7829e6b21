import assert from "node:assert/strict";

import type { EtcdClusterArgs } from "../../components";
import { diagnoseFailures } from "./diagnose";
import { etcdctl, eventually, openBed, startTimes, voters, type Bed } from "./fixture";
import { hasPrinted } from "./moments";
import { Project, type Running } from "./project";

const cluster = "lock";
const all = ["a", "b", "c"];
/** This machine's own address in the lab's network. */
const gateway = "10.84.3.1";

describe("two runs on one cluster", () => {
    let bed: Bed;
    let first: Project;
    let second: Project;

    function declared(size: number, changes: Partial<EtcdClusterArgs> = {}): Record<string, EtcdClusterArgs> {
        return { [cluster]: bed.declare(size, changes) };
    }

    before(async () => {
        bed = await openBed("it-lock", "10.84.3", 3);
        // Two copies of a stack, on two machines.
        [first, second] = [await Project.open({ machine: "desk" }), await Project.open({ machine: "laptop" })];
        await first.mustUp(declared(1));
        await second.copyState(first);
    });

    after(async () => {
        first?.close();
        second?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    /** A run that is sure to be busy: it waits for a learner that its peers can't reach. */
    async function startBusyRun(): Promise<Running> {
        await bed.lab.host("c").partitionFrom([bed.lab.host("a").address, bed.lab.host("b").address]);
        const running = first.startUp(declared(3, { timeouts: { healthSeconds: 300 } }));
        assert.ok(await hasPrinted(running, /waiting for up to 300 s: until learner "c"/), running.printed());
        return running;
    }

    it("lets only one work, and tells the other who does and since when", async () => {
        const busy = await startBusyRun();
        const started = Date.now();
        const other = await second.up(declared(3));
        assert.notEqual(other.code, 0);
        const [, holder = "", since = ""] =
            /the lock of cluster "lock" is held by (.*), since (\S+);/.exec(other.text) ?? [];
        assert.match(holder, /^root@desk, process \d+, stack user-program\/test$/, other.text);
        assert.ok(Math.abs(Date.parse(since) - started) < 60_000, since);
        const end = await second.destroy();
        assert.notEqual(end.code, 0);
        assert.match(end.text, /the lock of cluster "lock" is held by/);

        await bed.lab.host("c").heal();
        const run = await busy.finished;
        assert.equal(run.code, 0, run.text);
        assert.deepEqual(await voters(bed.lab.host("c"), cluster), all);
    });

    it("lets the other wait for its turn, if it was told to, and then finds nothing left to do", async () => {
        await first.mustUp(declared(1));
        const busy = await startBusyRun();
        const other = second.startUp(declared(3, { timeouts: { lockSeconds: 120 } }));
        assert.ok(await hasPrinted(other, /waiting: .*the lock of cluster "lock" is held by/));
        await bed.lab.host("c").heal();
        const run = await busy.finished;
        assert.equal(run.code, 0, run.text);
        const before = await startTimes(bed.lab, all, cluster);
        const later = await other.finished;
        assert.equal(later.code, 0, later.text);
        assert.deepEqual(await startTimes(bed.lab, all, cluster), before);
        assert.deepEqual(await voters(bed.lab.host("a"), cluster), all);
    });

    it("stops a run that was held up for so long that another has taken the lock over", async () => {
        await first.mustUp(declared(1));
        const busy = await startBusyRun();
        // The operator's machine sleeps: nothing of the run moves, and its connections stay open.
        busy.signal("SIGSTOP");
        await bed.lab.host("c").heal();
        await second.mustUp(declared(3, { timeouts: { lockSeconds: 60 } }));
        const before = await startTimes(bed.lab, all, cluster);
        busy.signal("SIGCONT");
        const run = await busy.finished;
        assert.notEqual(run.code, 0);
        assert.match(run.text, /the cluster's lock there may be somebody else's by now; run again/);
        assert.deepEqual(await startTimes(bed.lab, all, cluster), before);
        await first.mustUp(declared(3));
        assert.deepEqual(await voters(bed.lab.host("c"), cluster), all);
    });

    describe("of which one has died", () => {
        /** Settles when nobody holds the cluster's lock on any host; asked on the hosts themselves, so that no network is needed. */
        async function whenFree(seconds: number): Promise<void> {
            const began = performance.now();
            await eventually("the lock is free", seconds, async () => {
                for (const host of bed.lab.hosts)
                    await host.output(`flock --nonblock /run/pulumi-etcd-membership-${cluster}.lock true`);
            });
            console.log(`          free after ${((performance.now() - began) / 1000).toFixed(1)} s`);
        }
        async function assertHeld(): Promise<void> {
            for (const host of bed.lab.hosts) {
                const { code } = await host.run(`flock --nonblock /run/pulumi-etcd-membership-${cluster}.lock true`);
                assert.equal(code, 1, host.name);
            }
        }
        before(() => first.mustUp(declared(1)));

        // At most so many seconds, twice what docs/operations.md says or more: this machine is busy.
        const deaths: readonly (readonly [string, number, (busy: Running) => void | Promise<void>])[] = [
            ["the engine and all that it started, killed", 5, (busy) => busy.kill()],
            ["the engine, killed alone", 10, (busy) => busy.killEngine()],
            ["a machine that sleeps", 20, (busy) => busy.signal("SIGSTOP")],
            ["a machine whose network was cut", 20, () => cutOff(true)],
        ];
        for (const [what, seconds, die] of deaths) {
            it(`leaves the lock to others within seconds: ${what}`, async () => {
                const busy = await startBusyRun();
                await assertHeld();
                await die(busy);
                await whenFree(seconds);
                busy.kill();
                await first.cancel();
                await cutOff(false);
            });
        }

        it("leaves a cluster behind that the other one goes on with", async () => {
            await bed.lab.host("c").heal();
            await second.mustUp(declared(3));
            assert.deepEqual(await voters(bed.lab.host("a"), cluster), all);
        });

        /** Nobody on this machine reaches a host any more. */
        async function cutOff(isCut: boolean): Promise<void> {
            const [a, b, c] = ["a", "b", "c"].map((name) => bed.lab.host(name));
            const more = isCut ? [gateway] : [];
            await c!.partitionFrom([a!.address, b!.address, ...more]);
            for (const host of [a!, b!]) await (isCut ? host.partitionFrom(more) : host.heal());
        }
    });

    describe("that is not there yet, from two states that know nothing of each other", () => {
        const born = "born";
        const stacks: Project[] = [];
        const bornOn = (changes: Partial<EtcdClusterArgs> = {}) => ({
            [born]: bed.declare(3, { clientPort: 12379, peerPort: 12380, ...changes }),
        });
        before(async () => {
            stacks.push(await Project.open({ machine: "desk" }), await Project.open({ machine: "laptop" }));
        });
        after(() => stacks.forEach((project) => project.close()));

        it("lets one build it, and the other one change nothing, at once or after it has waited", async () => {
            const runs = await Promise.all(stacks.map((project) => project.up(bornOn())));
            const winner = runs.findIndex(({ code }) => code === 0);
            const text = runs[1 - winner]?.text ?? "";
            assert.ok(winner >= 0 && runs[1 - winner]!.code !== 0, runs.map((run) => run.text).join("\n"));
            assert.match(
                text,
                new RegExp(
                    `the lock of cluster "born" is held by root@${["desk", "laptop"][winner]}, .*, since|by another stack`,
                ),
            );
            assert.match(text, /nothing was changed on any host/);

            const times = await startTimes(bed.lab, all, born);
            const gone = await stacks[1 - winner]!.destroy();
            assert.equal(gone.code, 0, gone.text);
            await stacks[winner]!.mustUp(bornOn());
            assert.deepEqual(await startTimes(bed.lab, all, born), times);
            assert.deepEqual(await voters(bed.lab.host("c"), born, 12379), all);
            await stacks[winner]!.destroy();
        });

        it("lets one build it, and the other find it built by another when it has waited for its turn", async () => {
            const patient = bornOn({ timeouts: { lockSeconds: 120 } });
            const runs = await Promise.all(stacks.map((project) => project.up(patient)));
            const winner = runs.findIndex(({ code }) => code === 0);
            assert.ok(winner >= 0, runs.map((run) => run.text).join("\n"));
            assert.notEqual(runs[1 - winner]!.code, 0);
            assert.match(runs[1 - winner]!.text, /it belongs to a cluster of this name that the state of this stack/);
            assert.match(runs[1 - winner]!.text, /nothing was changed on any host/);
            assert.match(await etcdctl(bed.lab.host("a"), born, "put greeting hello", 12379), /OK/);
            assert.deepEqual(await voters(bed.lab.host("c"), born, 12379), all);
        });
    });
});

describe("a host that lets us in, and whose shell never starts", () => {
    const name = "mute";
    let bed: Bed;
    let project: Project;

    const declared = (hosts: string): Record<string, EtcdClusterArgs> => ({
        [name]: bed.declare([...hosts], { allowEvenSize: true, timeouts: { commandSeconds: 10 } }),
    });
    const silence = (host: string): Promise<string> =>
        bed.lab
            .host(host)
            .output(
                `printf '#!/bin/sh\nexec sleep 3600\n' > /usr/local/bin/mute && chmod 755 /usr/local/bin/mute && usermod -s /usr/local/bin/mute root`,
            );

    before(async () => {
        bed = await openBed("it-mute", "10.84.9", 3);
        project = await Project.open();
        await project.mustUp(declared("abc"));
    });

    after(async () => {
        project?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    it("is waited for as long as declared, and nothing is changed while it is on the list", async () => {
        await silence("c");
        const run = await project.up(declared("abc"));
        assert.notEqual(run.code, 0, run.text);
        assert.match(run.text, /host "c": .*not done within 10 s.*\n.*nothing was changed on any host/);
    });

    it("is removed when it is taken off the list, and named as not cleared", async () => {
        const run = await project.mustUp(declared("ab"));
        assert.match(run.text, /host "c" \(10\.84\.9\.13\) is no member any more, but could not be cleared: /);
        assert.deepEqual(await voters(bed.lab.host("a"), name), ["a", "b"]);
        assert.ok(run.seconds < 150, `${run.seconds} s`);
    });

    it("holds up no destroy, which names it", async () => {
        await silence("b");
        const run = await project.destroy();
        assert.equal(run.code, 0, run.text);
        assert.match(run.text, /host "b" was not cleared: .*not done within 15 s/);
        assert.equal(await bed.lab.host("a").output("ls -d /etc/etcd 2>/dev/null || true"), "");
        assert.ok(run.seconds < 150, `${run.seconds} s`);
    });
});
