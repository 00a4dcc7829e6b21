import assert from "node:assert/strict";

import type { EtcdClusterArgs } from "../../components";
import { diagnoseFailures } from "./diagnose";
import { etcdctl, openBed, startTimes, type Bed } from "./fixture";
import { Project } from "./project";
import { watchInUse } from "./untouched";

const cluster = "owned";
const rotated: Partial<EtcdClusterArgs> = { certificates: { authorities: [2] } };

describe("a cluster that another state of a stack of the same name built", () => {
    let bed: Bed;
    let project: Project;
    /** As after a state that was lost: the same program and stack, and nothing known of what it built. */
    let stranger: Project;

    function declared(changes: Partial<EtcdClusterArgs> = {}): Record<string, EtcdClusterArgs> {
        return { [cluster]: bed.declare(1, changes) };
    }

    before(async () => {
        bed = await openBed("it-owned", "10.84.4", 1);
        project = await Project.open();
        stranger = await Project.open();
        const run = await project.mustUp(declared({ certificates: { caValidityHours: 8760 } }));
        assert.match(
            run.text,
            /the authority "owned client CA" ends on \d{4}-\d\d-\d\d, .*rotate the authorities before/,
        );
        await etcdctl(bed.lab.host("a"), cluster, "put greeting hello");
    });

    after(async () => {
        project?.close();
        stranger?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    async function assertUntouched(act: () => Promise<void>): Promise<void> {
        const isUntouched = await watchInUse(bed.lab, ["a"], cluster);
        await act();
        await isUntouched();
        assert.match(await etcdctl(bed.lab.host("a"), cluster, "get greeting"), /hello/);
    }

    it("is not touched by an up, whose new certificates its members would not know", async () => {
        await assertUntouched(async () => {
            const run = await stranger.up(declared());
            assert.notEqual(run.code, 0);
            assert.match(
                run.text,
                /host "a" \(10\.84\.4\.11\): it belongs to a cluster of this name that the state of this stack does not know/,
            );
            assert.match(run.text, /nothing was changed on any host/);
        });
    });

    it("is not touched by that stack's destroy", async () => {
        await assertUntouched(async () => {
            const run = await stranger.destroy();
            assert.equal(run.code, 0, run.text);
        });
    });

    it("keeps its authorities when another algorithm and validity are declared, and its clients", async () => {
        const before = (await project.outputs())[cluster]!;
        await project.mustUp(declared({ certificates: { algorithm: "RSA-2048", caValidityHours: 99999 } }));
        const after = (await project.outputs())[cluster]!;
        assert.equal(after.ca, before.ca);
        assert.notEqual(after.operator.key, before.operator.key);
        assert.match(await etcdctl(bed.lab.host("a"), cluster, "get greeting"), /hello/);
    });

    it("is not touched by an up with a state from before a rotation, whose authorities its members would not know", async () => {
        const before = await Project.open();
        try {
            await before.copyState(project);
            for (const authorities of [[1, 2], [2, 1], [2]])
                await project.mustUp(declared({ certificates: { authorities } }));
            await assertUntouched(async () => {
                const run = await before.up(declared(rotated));
                assert.notEqual(run.code, 0);
                assert.match(
                    run.text,
                    /the authority 2 of this stack's state is not the one that members trust under that number \("a"\)/,
                );
                assert.match(run.text, /nothing was changed on any host/);
            });
            await before.copyState(project);
            await before.mustUp(declared(rotated), "--expect-no-changes");
        } finally {
            before.close();
        }
    });

    it("has what somebody edited after a rotation put back, and is not taken for one whose rotation is not done", async () => {
        const a = bed.lab.host("a");
        const before = await startTimes(bed.lab, ["a"], cluster);
        const file = `/etc/etcd/${cluster}/current/etcd.env`;
        const text = await a.readFile(file);
        for (const edit of [`sed -i '/^#/d' ${file}`, `rm ${file}`]) {
            await a.output(edit);
            const preview = await project.preview(declared(rotated));
            assert.doesNotMatch(preview.text, /up will stop here/);
            await project.mustUp(declared(rotated));
            assert.equal(await a.readFile(file), text);
        }
        assert.deepEqual(await startTimes(bed.lab, ["a"], cluster), before);
    });

    it("is not founded anew when all its hosts were rebuilt, and the state knows it", async () => {
        await bed.lab.host("a").rebuild();
        for (let time = 1; time <= 2; time += 1) {
            const run = await project.up(declared(rotated));
            assert.notEqual(run.code, 0, run.text);
            assert.match(
                run.text,
                /was built by an earlier run, but no declared host has its data in \/var\/lib\/etcd\/owned/,
            );
            const found = "ls -d /var/lib/etcd/owned/member 2>/dev/null; pgrep -a etcd; true";
            assert.equal(await bed.lab.host("a").output(found), "");
        }
    });
});
