import assert from "node:assert/strict";

import type { EtcdClusterArgs } from "../../components";
import { assertNothingLost, endAfterEach } from "./clients";
import { diagnoseFailures } from "./diagnose";
import { etcdctl, eventually, leaderOf, openBed, startTimes, voters, type Bed } from "./fixture";
import { told } from "./moments";
import { Project } from "./project";
import { refusals } from "../faults/workload/measures";
import { addressTowards, startWorkload, workloadClient, type Workload } from "../faults/workload/workload";

const cluster = "gen";
const all = ["a", "b", "c"];

describe("a cluster of three whose configuration changes", () => {
    let bed: Bed;
    let project: Project;
    let machine: string;
    const forThisTest = endAfterEach();
    /** What is declared now; each test changes it on top of what was before. */
    let declared: Partial<EtcdClusterArgs>;

    function program(changes: Partial<EtcdClusterArgs> = {}): Record<string, EtcdClusterArgs> {
        return { [cluster]: bed.declare(3, { ...declared, ...changes }) };
    }

    before(async () => {
        bed = await openBed("it-gen", "10.85.1", 3);
        project = await Project.open();
        machine = await addressTowards("10.85.1.11");
        declared = { clients: [workloadClient(machine)], timeouts: { healthSeconds: 20 } };
        await project.mustUp(program());
    });

    after(async () => {
        project?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    // What a test that failed has left undone is not for the next one to meet.
    afterEach(async function () {
        if (this.currentTest?.state === "failed") await project.mustUp(program());
    });

    async function startClients(): Promise<Workload> {
        return forThisTest(startWorkload((await project.outputs())[cluster]!, { phase: "change" }));
    }

    /** From stop to "ready", in seconds since 1970, since a moment. */
    async function pauses(name: string, sinceSeconds: number): Promise<readonly (readonly [number, number])[]> {
        const journal = await bed.lab
            .host(name)
            .output(`journalctl --no-pager --output short-unix --unit etcd-${cluster} --since @${sinceSeconds}`);
        const moments = (word: string): readonly number[] =>
            [...journal.matchAll(new RegExp(`^(\\S+) \\S+ systemd\\[1\\]: ${word} etcd-${cluster}`, "gm"))].map(
                (match) => Number(match[1]),
            );
        const started = moments("Started");
        return moments("Stopping").map((stop) => [stop, started.find((start) => start > stop) ?? Infinity] as const);
    }

    it("restarts its members one at a time, the leader last and moved first, and loses no acknowledged write", async () => {
        const changes = { tuning: { snapshotCount: 5000 }, logLevel: "warn" } as const;
        const [led, before, began] = [
            await leaderOf(bed.lab, all, cluster),
            await startTimes(bed.lab, all, cluster),
            Date.now() / 1000,
        ];
        const workload = await startClients();
        declared = { ...declared, ...changes };
        const run = await project.mustUp(program());
        await assertNothingLost(workload);

        const steps = told(run.text, cluster).flatMap(
            (line) => /^\d+\/\d+ (restart|move).*?"(\w)"/.exec(line)?.slice(1, 3) ?? [],
        );
        const followers = all.filter((name) => name !== led);
        assert.deepEqual(steps, [...followers.flatMap((name) => ["restart", name]), "move", led, "restart", led]);
        const after = await startTimes(bed.lab, all, cluster);
        assert.ok(after.every((time, index) => time !== before[index]));
        const down = (await Promise.all(all.map((name) => pauses(name, began)))).flat().sort(([a], [b]) => a - b);
        assert.equal(down.length, 3);
        down.slice(1).forEach(([stop], index) => assert.ok(stop >= down[index]![1], "two members were down at once"));
        for (const name of all) {
            const environment = await bed.lab.host(name).output("tr '\\0' '\\n' < /proc/$(pidof etcd)/environ");
            assert.match(environment, /^ETCD_SNAPSHOT_COUNT=5000$/m);
            assert.match(environment, /^ETCD_LOG_LEVEL=warn$/m);
        }
    });

    describe("to one that etcd does not start with", () => {
        // Valid in form, and more than a duration of Go can hold.
        const broken = { tuning: { autoCompactionRetention: "999999h999999h999999h" } };
        let victim: string;
        let before: readonly string[];

        it("touches one member only, stays up, and says why and how to go on", async () => {
            before = await startTimes(bed.lab, all, cluster);
            const run = await project.up(program(broken));
            assert.notEqual(run.code, 0);
            const after = await startTimes(bed.lab, all, cluster);
            const touched = all.filter((_, index) => after[index] !== before[index]);
            assert.equal(touched.length, 1, touched.join());
            victim = touched[0]!;
            const { address } = bed.lab.host(victim);
            assert.match(run.text, new RegExp(`restart "${victim}" with generation`));
            assert.match(run.text, new RegExp(`${victim}\\| .*CompactionRetention`), "etcd's own words");
            assert.match(
                run.text,
                new RegExp(`next: journalctl -u etcd-${cluster} on ${victim} \\(${address.replaceAll(".", "\\.")}\\)`),
            );
            await assertUpWithout(victim);
        });

        it("says so again after the host was rebooted, and touches no other member", async () => {
            await bed.lab.host(victim).reboot();
            const run = await project.up(program(broken));
            assert.notEqual(run.code, 0);
            assert.match(run.text, new RegExp(`${victim}\\| .*CompactionRetention`));
            await assertUpWithout(victim);
        });

        it("comes back with the configuration put back, and no other member is ever restarted", async () => {
            const run = await project.mustUp(program());
            assert.doesNotMatch(run.text, /(remove|add|promote|move) /);
            assert.deepEqual(await voters(bed.lab.host(victim), cluster), all);
            await assertUntouched(victim);
            const again = await project.up(program(), "--expect-no-changes");
            assert.equal(again.code, 0, again.text);
        });

        async function assertUpWithout(name: string): Promise<void> {
            await assertUntouched(name);
            for (const other of all.filter((one) => one !== name)) {
                await etcdctl(bed.lab.host(other), cluster, "put still writable");
            }
        }

        async function assertUntouched(but: string): Promise<void> {
            const now = await startTimes(bed.lab, all, cluster);
            all.forEach((name, index) => {
                if (name !== but) assert.equal(now[index], before[index], `"${name}" was restarted`);
            });
        }
    });

    it("restarts nobody for an edit that is taken back, and was linked to and not started", async () => {
        const b = bed.lab.host("b");
        const before = await startTimes(bed.lab, all, cluster);
        const root = `/etc/etcd/${cluster}`;
        const unit = `/etc/systemd/system/etcd-${cluster}.service`;
        // As a run leaves it that dies there.
        await b.output(`
            other=$(ls ${root}/generations | grep -vx "$(cat ${root}/staged)" | head -n 1)
            cp ${root}/generations/$other/etcd.service ${unit}
            ln -sfn generations/$other ${root}/current
            systemctl daemon-reload`);
        const preview = await project.preview(program());
        assert.match(preview.text, /plan 1\/1: put the staged generation in place on b:/);
        await project.mustUp(program());
        assert.deepEqual(await startTimes(bed.lab, all, cluster), before);
        await b.output(`
            [ "$(readlink ${root}/current)" = "generations/$(cat ${root}/staged)" ] &&
            cmp ${root}/current/etcd.service ${unit} &&
            [ "$(systemctl show --value --property NeedDaemonReload etcd-${cluster}.service)" = no ]`);
        const again = await project.up(program(), "--expect-no-changes");
        assert.equal(again.code, 0, again.text);
    });

    it("renews its leaf certificates without a restart, and clients with the old ones work on", async () => {
        const before = await startTimes(bed.lab, all, cluster);
        const serials = await Promise.all(all.map(serial));
        const workload = await startClients();
        declared = { ...declared, certificates: { validityHours: 4000 } };
        const run = await project.mustUp(program());
        assert.doesNotMatch(run.text, /restart "/);
        assert.deepEqual(await startTimes(bed.lab, all, cluster), before);
        const renewed = await Promise.all(all.map(serial));
        renewed.forEach((now, index) => assert.notEqual(now, serials[index]));
        const newcomer = await startClients();
        for (const clients of [workload, newcomer]) {
            const [change] = (await assertNothingLost(clients)).phases;
            assert.deepEqual(refusals(change!), []);
        }
    });

    it("fails in time when a member hangs, and needs nothing but another up once it does not", async () => {
        const b = bed.lab.host("b");
        const before = await startTimes(bed.lab, all, cluster);
        await b.freezeProcess("etcd");
        const run = await project.up(program());
        await b.thawProcess("etcd");
        assert.notEqual(run.code, 0);
        assert.match(run.text, /"b"/);
        assert.match(run.text, /next: journalctl -u etcd-gen on b/);
        await eventually("b answers", 60, async () => {
            await etcdctl(b, cluster, "put thawed yes");
        });
        await project.mustUp(program());
        assert.deepEqual(await startTimes(bed.lab, all, cluster), before);
        assert.deepEqual(
            (await project.outputs())[cluster]!.members.map((member) => member.name),
            all,
        );
    });

    it("takes nobody for stopped whose host can't say what runs on it", async () => {
        const b = bed.lab.host("b");
        const before = await startTimes(bed.lab, all, cluster);
        const broken = "/usr/local/bin/systemctl";
        await b.output(
            `printf '#!/bin/sh\\ncase "$*" in "show --property LoadState"*) echo timed out >&2; exit 1 ;; esac\\nexec /usr/bin/systemctl "$@"\\n' >${broken} && chmod +x ${broken}`,
        );
        const run = await project.up(program({ logLevel: "info" }));
        await b.output(`rm ${broken}`);
        assert.notEqual(run.code, 0);
        assert.match(run.text, /host "b" .* could not be looked at: its shell ended with exit code 1: timed out/);
        assert.doesNotMatch(run.text, /1\/\d+ /);
        assert.deepEqual(await startTimes(bed.lab, all, cluster), before);
        await project.mustUp(program());
    });

    /** Of the certificate that a member shows to its clients now. */
    async function serial(name: string): Promise<string> {
        const host = bed.lab.host(name);
        return host.output(
            `echo | openssl s_client -connect ${host.address}:2379 2>/dev/null | openssl x509 -noout -serial`,
        );
    }
});
