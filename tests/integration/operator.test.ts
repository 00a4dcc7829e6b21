import assert from "node:assert/strict";

import type { EtcdClusterArgs } from "../../components";
import { diagnoseFailures } from "./diagnose";
import { etcdctl, eventually, openBed, startTimes, voters, type Bed } from "./fixture";
import { told } from "./moments";
import { Project } from "./project";

const cluster = "seen";
const all = ["a", "b", "c"];

describe("what the operator sees", () => {
    let bed: Bed;
    let project: Project;

    function declared(
        hosts: number | readonly string[] = 3,
        changes: Partial<EtcdClusterArgs> = {},
    ): Record<string, EtcdClusterArgs> {
        return { [cluster]: bed.declare(hosts, { timeouts: { healthSeconds: 10 }, ...changes }) };
    }

    before(async () => {
        bed = await openBed("op-seen", "10.103.1", 3);
        project = await Project.open();
        await project.mustUp(declared(1));
    });

    after(async () => {
        project?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    async function assertNothingLeft(): Promise<void> {
        const before = await startTimes(bed.lab, all, cluster);
        const again = await project.up(declared(), "--expect-no-changes");
        assert.equal(again.code, 0, again.text);
        assert.deepEqual(await startTimes(bed.lab, all, cluster), before);
    }

    it("is a preview that names the very steps of up, with what each risks", async () => {
        const preview = told((await project.preview(declared())).text, cluster);
        const run = told((await project.mustUp(declared())).text, cluster);
        const planned = preview.flatMap((line) => /^plan (\d+\/\d+): (.*)$/.exec(line)?.slice(1, 3).join(" ") ?? []);
        const timed = run.filter((line) => /^\d+\/\d+ /.test(line));
        for (const line of timed) assert.match(line, /: .+ \(\d+\.\d\d s\)/, "a reason, and when");
        const taken = timed.map((line) => line.replace(/ \(\d+\.\d\d s\)/, ""));
        // What is known of a step before it is taken: not the ids that etcd gives, nor how far a learner is.
        const outline = (line: string): string => {
            const [step = "", risk = ""] = line.split(/: .*?(?=\[survives|$)/);
            return `${step} ${risk}`;
        };
        assert.deepEqual(taken.map(outline), planned.map(outline));
        assert.ok(
            taken.some((line) => /promote "b" to voter: .* \[survives the loss of 0 of 1 → 0 of 2\]$/.test(line)),
        );
        assert.ok(preview.includes("on the way, the cluster survives the loss of 0 of 1 → 0 of 2 → 1 of 3 voters"));
        assert.deepEqual(
            run.filter((line) => /preview|as planned/.test(line)),
            [],
        );
        await assertNothingLeft();
    });

    it("is an up that says which steps are not those of the preview, and why", async () => {
        assert.doesNotMatch((await project.preview(declared())).text, /plan 1/);
        await bed.lab.host("b").output(`systemctl stop etcd-${cluster}`);
        const lines = told((await project.mustUp(declared())).text, cluster);
        const [first, second] = lines;
        assert.match(first ?? "", /^the world has changed since the preview, \d+ s ago:$/);
        assert.equal(second, `not in the preview: start "b": it is inactive`);
        assert.ok(
            lines.some((line) =>
                /^1\/1 start "b": it is inactive .*\[survives the loss of 0 of 3 → 1 of 3\]$/.test(line),
            ),
        );
        await assertNothingLeft();
    });

    it("is an up that says which steps of the preview are not needed any more", async () => {
        await bed.lab.host("b").output(`systemctl stop etcd-${cluster}`);
        assert.match((await project.preview(declared())).text, /plan 1\/1: start "b": it is inactive/);
        await bed.lab.host("b").output(`systemctl start etcd-${cluster}`);
        const run = await project.mustUp(declared());
        assert.match(run.text, /in the preview, and not needed now: start "b"/);
        await assertNothingLeft();
    });

    it("is one up of preview and update that says it as well", async () => {
        project.declare(declared());
        const c = bed.lab.host("c");
        await c.output(`systemctl stop etcd-${cluster}`);
        const running = project.start(["up", "--yes"]);
        await eventually("the preview has shown the step", 60, async () => {
            assert.match(running.printed(), /plan 1\/1: start "c"/);
        });
        await c.output(`systemctl start etcd-${cluster}`);
        const run = await running.finished;
        assert.equal(run.code, 0, run.text);
        assert.match(run.text, /in the preview, and not needed now: start "c"/);
        await assertNothingLeft();
    });

    it("is an error that ends with what to type next: a snapshot that fails removes nobody", async () => {
        const a = bed.lab.host("a");
        await a.output(`rm -rf /var/lib/etcd/${cluster}.snapshots; touch /var/lib/etcd/${cluster}.snapshots`);
        const run = await project.up(declared(1));
        assert.notEqual(run.code, 0);
        assert.match(run.text, /take a snapshot on "a", then remove member .*take a snapshot: failed with exit code/);
        assert.match(
            run.text,
            new RegExp(
                `\\n *a\\| .*\\n *next: journalctl -u etcd-${cluster} on a \\(10\\.103\\.1\\.11\\), then pulumi up`,
            ),
        );
        await a.output(`rm /var/lib/etcd/${cluster}.snapshots`);
        assert.deepEqual(await voters(a, cluster), all);
        await project.mustUp(declared());
        await assertNothingLeft();
    });

    it("is an error that ends with what to type next: a host that is away", async () => {
        await bed.lab.host("b").cut();
        const run = await project.up(declared());
        await bed.lab.host("b").heal();
        assert.notEqual(run.code, 0);
        assert.match(run.text, /nothing was changed on any host\n *next: ssh root@10\.103\.1\.12 true, then pulumi up/);
    });

    it("is the same after a refresh, which changes nothing", async () => {
        await bed.lab.host("b").output(`systemctl stop etcd-${cluster}`);
        await project.mustRun(["refresh", "--yes", "--skip-preview"]);
        assert.equal((await bed.lab.host("b").run(`systemctl is-active etcd-${cluster}`)).code, 3);
        const run = await project.mustUp(declared());
        assert.match(run.text, /1\/1 start "b": it is inactive/);
        await assertNothingLeft();
    });

    it("is one resource's work where that one is the target: of one host, of membership, of the cluster", async () => {
        const before = await startTimes(bed.lab, all, cluster);
        const staged = (): Promise<readonly string[]> =>
            Promise.all(all.map((name) => bed.lab.host(name).output(`cat /etc/etcd/${cluster}/staged`)));
        const [, stagedOnB] = await staged();
        await project.mustUp(declared(3, { tuning: { snapshotCount: 7777 } }), "--target", `**::${cluster}-b-stage`);
        const now = await staged();
        assert.notEqual(now[1], stagedOnB);
        assert.deepEqual(await startTimes(bed.lab, all, cluster), before);

        // What is staged alone is not what a reboot starts.
        const b = bed.lab.host("b");
        await b.reboot();
        await eventually("b is back", 60, async () => assert.deepEqual(await voters(b, cluster), all));
        assert.equal((await b.output(`cat /run/etcd-${cluster}/generation`)).trim(), stagedOnB!.trim());
        assert.doesNotMatch(await b.output("tr '\\0' '\\n' < /proc/$(pidof etcd)/environ"), /SNAPSHOT_COUNT=7777/);

        const rebooted = await startTimes(bed.lab, all, cluster);
        await project.mustUp(declared(), "--target", "**EtcdCluster**");
        assert.deepEqual(await startTimes(bed.lab, all, cluster), rebooted);

        await bed.lab.host("c").output(`systemctl stop etcd-${cluster}`);
        const run = await project.mustUp(declared(), "--target", `**::${cluster}-membership`);
        assert.match(run.text, /1\/1 start "c": it is inactive/);
        await assertNothingLeft();
    });

    function signalAll(signal: "STOP" | "CONT"): Promise<unknown> {
        return Promise.all(
            all.map((name) => bed.lab.host(name).output(`systemctl kill --signal ${signal} etcd-${cluster}`)),
        );
    }

    async function thaw(): Promise<void> {
        await signalAll("CONT");
        await eventually("all serve", 60, async () => assert.deepEqual(await voters(bed.lab.host("a"), cluster), all));
    }

    /** An up that ends while it waits for members, which go on after it. */
    async function fail(...flags: readonly string[]): Promise<void> {
        await signalAll("STOP");
        const run = await project.up(declared(), ...flags);
        await thaw();
        assert.match(run.text, /waited 10 s, but not until a quorum answers/);
        assert.notEqual(run.code, 0);
    }

    it("is a run that succeeds after one that failed and a refresh, or for another target, with all outputs", async () => {
        const before = await startTimes(bed.lab, all, cluster);
        await fail();
        await project.mustUp(declared(), "--target", `**::${cluster}-b-stage`);
        await project.mustRun(["refresh", "--yes", "--skip-preview"]);
        await project.mustUp(declared());
        assert.equal((await project.outputs())[cluster]!.endpoints.length, 3);
        assert.deepEqual(await startTimes(bed.lab, all, cluster), before);
        await assertNothingLeft();
    });

    it("is a preview that says what it can't know while certificates are made anew and members don't answer to those of before", async () => {
        await signalAll("STOP");
        const declaration = declared(3, { certificates: { algorithm: "ECDSA-P384" } });
        const { code, text } = await project.preview(declaration);
        await thaw();
        assert.equal(code, 0, text);
        assert.match(text, /no quorum answers to the certificates of before: if they have expired, up puts new ones/);
        await assertNothingLeft();
    });

    it("is a cluster that goes on when its resource is replaced, also when that fails first", async () => {
        const before = await startTimes(bed.lab, all, cluster);
        const replace = ["--replace", `**::${cluster}-membership`];
        const run = await project.mustUp(declared(), ...replace);
        assert.match(run.text, /the cluster is left as it is: only its former entry in the stack's state was removed/);
        await assertNothingLeft();
        await fail(...replace);
        await project.mustUp(declared());
        assert.deepEqual(await startTimes(bed.lab, all, cluster), before);
        await assertNothingLeft();
    });

    it("is the same from a state that was exported, and imported into another backend", async () => {
        const other = await Project.open();
        try {
            await other.copyState(project);
            const before = await startTimes(bed.lab, all, cluster);
            const run = await other.up(declared(), "--expect-no-changes");
            assert.equal(run.code, 0, run.text);
            assert.deepEqual(await startTimes(bed.lab, all, cluster), before);
            assert.deepEqual((await other.outputs())[cluster], (await project.outputs())[cluster]);
        } finally {
            other.close();
        }
    });

    it("is a cluster that was not changed by any of it", async () => {
        assert.deepEqual(await voters(bed.lab.host("a"), cluster), all);
        await etcdctl(bed.lab.host("c"), cluster, "put still writable");
    });

    it("is a destroy of a host's files alone that the engine refuses, since membership needs them", async () => {
        const run = await project.destroy("--target", `**::${cluster}-b-stage`);
        assert.notEqual(run.code, 0);
        assert.match(run.text, new RegExp(`${cluster}-membership' will be destroyed but was not specified`));
        await assertNothingLeft();
    });

    it("is a destroy of membership alone that ends the cluster, keeps its data, and lets another one begin", async () => {
        const run = await project.destroy("--target", `**::${cluster}-membership`);
        assert.equal(run.code, 0, run.text);
        for (const name of all) {
            const host = bed.lab.host(name);
            assert.equal(await host.output("pgrep -x etcd || :"), "");
            assert.match(await host.output(`ls -d /var/lib/etcd/${cluster}.*Z/member`), /member/);
        }
        await project.mustUp(declared());
        assert.deepEqual(await voters(bed.lab.host("a"), cluster), all);
        assert.doesNotMatch(await etcdctl(bed.lab.host("a"), cluster, "get still"), /writable/);
        await assertNothingLeft();
    });
});
