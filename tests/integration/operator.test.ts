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
        const taken = run.flatMap((line) => (/^\d+\/\d+ /.test(line) ? [line.replace(/ \(\d+\.\d\d s\)/, "")] : []));
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

    it("is a cluster that was not changed by any of it", async () => {
        assert.deepEqual(await voters(bed.lab.host("a"), cluster), all);
        await etcdctl(bed.lab.host("c"), cluster, "put still writable");
    });
});
