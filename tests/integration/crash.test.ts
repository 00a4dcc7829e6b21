import assert from "node:assert/strict";

import * as fc from "fast-check";

import type { EtcdClusterArgs } from "../../components";
import { diagnoseFailures } from "./diagnose";
import { etcdctl, eventually, openBed, startTimes, voters, type Bed } from "./fixture";
import { hasPrinted, lastStep, step } from "./moments";
import { Project } from "./project";

const cluster = "crash";
const all = ["a", "b", "c"];
/** `PULUMI_ETCD_SEED=…` repeats the random moments of an earlier run. */
const seed = Number(process.env["PULUMI_ETCD_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

type Declared = Record<string, EtcdClusterArgs>;

describe("a run that is killed", () => {
    let bed: Bed;
    let project: Project;
    /** What could be written must be there for good. */
    const written = new Map<string, string>();

    before(async () => {
        bed = await openBed("it-crash", "10.84.1", 3);
        project = await Project.open();
        console.log(`    random moments: PULUMI_ETCD_SEED=${seed}`);
    });

    after(async () => {
        project?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    function declared(size: number, changes: Partial<EtcdClusterArgs> = {}): Declared {
        return { [cluster]: bed.declare(size, changes) };
    }

    async function write(key: string): Promise<void> {
        await etcdctl(bed.lab.host("a"), cluster, `--command-timeout=2s put ${key} ${key}-value`).then(
            () => written.set(key, `${key}-value`),
            () => undefined,
        );
    }

    /** What a user does after a killed run: gives the stack's lock back, and types the same again. All is as declared then. */
    async function finish(clusters: Declared): Promise<void> {
        await write(`written-${written.size}`);
        await project.cancel();
        await project.mustUp(clusters);
        await assertConverged(clusters);
    }

    /** As declared, nothing lost, nothing left over, and nothing left to do. */
    async function assertConverged(clusters: Declared): Promise<void> {
        const names = clusters[cluster]!.hosts.map(({ name }) => name);
        for (const name of names) {
            assert.deepEqual(await voters(bed.lab.host(name), cluster), names);
            const there = await etcdctl(bed.lab.host(name), cluster, "get written --prefix");
            for (const value of written.values())
                assert.match(there, new RegExp(`^${value}$`, "m"), `read from ${name}`);
        }
        for (const name of all.filter((other) => !names.includes(other))) {
            assert.equal(
                await bed.lab.host(name).output("ls -d /etc/etcd; pgrep -a etcd; true"),
                "",
                `left on ${name}`,
            );
        }
        const before = await startTimes(bed.lab, names, cluster);
        const again = await project.up(clusters, "--expect-no-changes");
        assert.equal(again.code, 0, again.text);
        assert.deepEqual(await startTimes(bed.lab, names, cluster), before);
    }

    /** @returns false when the run has come to its end before it told a step */
    async function killAfterAStep(clusters: Declared): Promise<boolean> {
        const running = project.startUp(clusters);
        const isReached = await hasPrinted(running, step(cluster, 1));
        running.kill();
        const run = await running.finished;
        if (!isReached) {
            assert.equal(run.code, 0, run.text);
            return false;
        }
        console.log(`      killed after ${lastStep(running, cluster)}`);
        await project.cancel();
        return true;
    }

    async function killAt(milliseconds: number, clusters: Declared): Promise<void> {
        const running = project.startUp(clusters);
        await new Promise((resolve) => setTimeout(resolve, milliseconds));
        running.kill();
        await running.finished;
        console.log(`      killed after ${milliseconds} ms: ${lastStep(running, cluster)}`);
        await finish(clusters);
    }

    async function startOver(): Promise<void> {
        const run = await project.destroy();
        assert.equal(run.code, 0, run.text);
        written.clear();
    }

    describe("while it builds a cluster of one", () => {
        afterEach(startOver);

        fc.sample(fc.noBias(fc.integer({ min: 0, max: 5000 })), { seed, numRuns: 2 }).forEach((milliseconds, index) => {
            it(`is finished by the next up when it is killed at random moment ${index + 1}`, async () => {
                await killAt(milliseconds, declared(1));
            });
        });
    });

    describe("while it changes a cluster that is in use", () => {
        before(async () => {
            await project.mustUp(declared(1));
            await write("written-before");
            assert.equal(written.size, 1);
        });

        fc.sample(fc.noBias(fc.integer({ min: 1500, max: 6000 })), { seed, numRuns: 2 }).forEach(
            (milliseconds, index) => {
                it(`is finished by the next up when it is killed at random moment ${index + 1}`, async () => {
                    await killAt(milliseconds, declared(3));
                    await project.mustUp(declared(1));
                });
            },
        );

        it("is left by its plugins at once when only the engine is killed, with its lock free", async () => {
            const running = project.startUp(declared(3));
            assert.ok(await hasPrinted(running, step(cluster, 3)));
            running.killEngine();
            await eventually("nothing that changes hosts is left", 15, async () => {
                const left = running.left().filter((command) => command.includes("dynamic-provider"));
                assert.deepEqual(left, []);
                for (const { name } of bed.lab.hosts) {
                    const lock = `/run/pulumi-etcd-membership-${cluster}.lock`;
                    await bed.lab.host(name).output(`flock --nonblock ${lock} true`);
                }
            });
            running.kill();
            await running.finished;
            await finish(declared(3));
        });

        it("goes on where it was killed, after each step of a rolling restart", async () => {
            const restarted = declared(3, { tuning: { snapshotCount: 1001 } });
            let steps = 0;
            while (await killAfterAStep(restarted)) steps += 1;
            // Of four: a run that is killed after a step may have begun the next one, whose script goes on on its host.
            assert.ok(steps >= 2, `${steps} steps were seen`);
            await assertConverged(restarted);
        });

        it("is finished by the next destroy when it was one", async () => {
            const running = project.start(["destroy", "--yes", "--skip-preview"]);
            assert.ok(await hasPrinted(running, /data moved to/));
            running.kill();
            await running.finished;
            await project.cancel();
            await startOver();
            for (const { name } of bed.lab.hosts) {
                const left = await bed.lab.host(name).output("ls -d /etc/etcd /opt/etcd; pgrep -a etcd; true");
                assert.equal(left, "", `left on ${name}`);
            }
        });
    });
});
