import assert from "node:assert/strict";

import * as fc from "fast-check";

import type { EtcdClusterArgs } from "../../components";
import { diagnoseFailures } from "./diagnose";
import { etcdctl, eventually, openBed, startTimes, voters, type Bed } from "./fixture";
import { hasPrinted, lastStep, step } from "./moments";
import { Project } from "./project";

const cluster = "crash";
/** `PULUMI_ETCD_SEED=…` repeats the random moments of an earlier run. */
const seed = Number(process.env["PULUMI_ETCD_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

let bed: Bed;
let project: Project;

function declared(size: number, changes: Partial<EtcdClusterArgs> = {}): Record<string, EtcdClusterArgs> {
    return { [cluster]: bed.declare(size, changes) };
}

function membersOf(size: number): readonly string[] {
    return ["a", "b", "c"].slice(0, size);
}

/** A key for every time; what could be written then must be there for good. */
const written = new Map<string, string>();

async function write(key: string): Promise<boolean> {
    return etcdctl(bed.lab.host("a"), cluster, `--command-timeout=2s put ${key} ${key}-value`).then(
        () => Boolean(written.set(key, `${key}-value`)),
        () => false,
    );
}

/** As declared, nothing lost, and nothing left to do. */
async function assertConverged(size: number): Promise<void> {
    const names = membersOf(size);
    for (const name of names) {
        assert.deepEqual(await voters(bed.lab.host(name), cluster), names);
        for (const [key, value] of written) {
            assert.match(
                await etcdctl(bed.lab.host(name), cluster, `get ${key}`),
                new RegExp(value),
                `${key}, read from ${name}`,
            );
        }
    }
    const before = await startTimes(bed.lab, names, cluster);
    const again = await project.up(declared(size), "--expect-no-changes");
    assert.equal(again.code, 0, again.text);
    assert.deepEqual(await startTimes(bed.lab, names, cluster), before);
}

/** What a user does after a killed run: gives the stack's lock back, and types the same again. */
async function upAgain(size: number): Promise<void> {
    await project.cancel();
    await project.mustUp(declared(size));
}

async function startOver(): Promise<void> {
    const run = await project.destroy();
    assert.equal(run.code, 0, run.text);
    written.clear();
}

describe("a run that is killed", () => {
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

    /** Kills after the first step, then, from the start, after the second one, and so on, until a run comes to its end. */
    async function killAfterEachStep(from: () => Promise<void>, size: number): Promise<number> {
        for (let number = 1; ; number += 1) {
            await from();
            const running = project.startUp(declared(size));
            const isReached = await hasPrinted(running, step(cluster, number));
            running.kill();
            const run = await running.finished;
            if (!isReached) {
                assert.equal(run.code, 0, run.text);
                return number - 1;
            }
            console.log(`      killed after ${lastStep(running, cluster)}`);
            await write(`killed-after-${number}`);
            await upAgain(size);
            await assertConverged(size);
        }
    }

    describe("while it builds a cluster of one", () => {
        afterEach(startOver);

        it("is finished by the next up, whichever step it was killed after", async () => {
            const steps = await killAfterEachStep(startOver, 1);
            assert.ok(steps >= 2, `${steps} steps were seen`);
        });

        fc.sample(fc.integer({ min: 0, max: 5000 }), { seed, numRuns: 2 }).forEach((milliseconds, index) => {
            it(`is finished by the next up when it is killed at random moment ${index + 1}`, async () => {
                await killAt(milliseconds, 1);
            });
        });
    });

    describe("while it grows a cluster from one to three", () => {
        before(async () => {
            await project.mustUp(declared(1));
            assert.ok(await write("before-all"));
        });

        afterEach(async () => {
            await project.mustUp(declared(1));
        });

        after(startOver);

        it("is finished by the next up, whichever step it was killed after", async () => {
            const steps = await killAfterEachStep(async () => {
                await project.mustUp(declared(1));
            }, 3);
            assert.ok(steps >= 6, `${steps} steps were seen`);
        });

        fc.sample(fc.integer({ min: 1500, max: 7000 }), { seed, numRuns: 2 }).forEach((milliseconds, index) => {
            it(`is finished by the next up when it is killed at random moment ${index + 1}`, async () => {
                await killAt(milliseconds, 3);
            });
        });
    });

    describe("while its plugins live on", () => {
        before(() => project.mustUp(declared(1)));
        after(startOver);

        it("is left by them at once, with its lock free and nothing running, and is finished by the next up", async () => {
            const running = project.startUp(declared(3));
            assert.ok(await hasPrinted(running, step(cluster, 3)));
            running.killEngine();
            await eventually("nothing that changes hosts is left", 5, async () => {
                assert.deepEqual(
                    running.left().filter((command) => command.includes("dynamic-provider")),
                    [],
                );
                for (const name of membersOf(3)) {
                    await bed.lab
                        .host(name)
                        .output(`flock --nonblock /run/pulumi-etcd-membership-${cluster}.lock true`);
                }
            });
            running.kill();
            await running.finished;
            await upAgain(3);
            await assertConverged(3);
        });
    });

    async function killAt(milliseconds: number, size: number): Promise<void> {
        const running = project.startUp(declared(size));
        await new Promise((resolve) => setTimeout(resolve, milliseconds));
        running.kill();
        await running.finished;
        console.log(`      killed after ${milliseconds} ms: ${lastStep(running, cluster)}`);
        await write(`killed-at-${milliseconds}`);
        await upAgain(size);
        await assertConverged(size);
    }
});
