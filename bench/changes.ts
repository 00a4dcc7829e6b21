/**
 * `npm run bench -- changes [ROUNDS]`: what a change of a cluster in use costs those who use it, and how long it takes, beside the same
 * change made with plain etcdctl in the same run.
 */
import { cpus, loadavg } from "node:os";

import { openBed, type Bed } from "../tests/integration/fixture";
import { CHANGE, ClusterInUse, type Changed } from "../tests/faults/clusterInUse";
import type { PhaseReport } from "../tests/faults/workload/measures";
import { assertSound, Workload, type WorkloadReport } from "../tests/faults/workload/workload";
import { ByHand } from "./byHand";
import { changesTable } from "./changesTable";

/** Acknowledged writes before and after each change. */
const WRITES = 300;

/** One change of one round. */
export interface Measured {
    readonly change: string;
    readonly before: PhaseReport;
    readonly during: PhaseReport;
    /** Of the change: the whole `up`, or all steps by hand. None where nothing is done but to pull a plug. */
    readonly seconds?: number;
    /** Of membership's steps in the `up`. */
    readonly stepSeconds?: number;
}

export async function benchChanges(rounds: number): Promise<void> {
    const bed = await openBed("wl-bench", "10.106.2", 4);
    const [ours, byHand]: [Measured[], Measured[]] = [[], []];
    const loads: number[] = [];
    try {
        for (let round = 1; round <= rounds; round++) {
            console.error(`changes by hand: ${round} of ${rounds}`);
            await rebuildAll(bed);
            byHand.push(...(await changeByHand(bed)));
            console.error(`changes by up: ${round} of ${rounds}`);
            await rebuildAll(bed);
            ours.push(...(await changeByUp(bed)));
            loads.push(loadavg()[0]!);
        }
        console.log(changesTable(ours, byHand));
        const shares = loads.map((load) => load.toFixed(1)).join(", ");
        console.log(`\n${rounds} rounds; load of this machine (${cpus().length} cores) at their ends: ${shares}`);
    } finally {
        await bed.lab.down();
    }
}

async function rebuildAll(bed: Bed): Promise<void> {
    await Promise.all(bed.lab.hosts.map((host) => host.rebuild()));
}

async function changeByUp(bed: Bed): Promise<readonly Measured[]> {
    const inUse = await ClusterInUse.open(bed, "bench", WRITES);
    const found: Measured[] = [];
    const note = (change: string, { report, run }: Changed): void => {
        const steps =
            run &&
            [...run.text.matchAll(/\] \d+\/\d+ .*\((\d+\.\d+) s\)(?: \[.*\])?$/gm)].map((match) => Number(match[1]));
        found.push({
            ...noted(change, report),
            ...(run && { seconds: run.seconds }),
            ...(steps && { stepSeconds: Math.max(0, ...steps) }),
        });
    };
    try {
        await inUse.build(["a"]);
        note("1 → 3", await inUse.change(["a", "b", "c"]));
        note("rolling restart", await inUse.change(inUse.hosts, { tuning: { snapshotCount: 5000 } }));
        const [follower] = await inUse.followers();
        note("follower replaced", await inUse.replace([follower!]));
        const leader = await inUse.leader();
        note("leader replaced", await inUse.replace([leader]));
        const dead = await inUse.leader();
        note("leader's host killed", await inUse.killHost(dead));
        note("dead host replaced", await inUse.replace([dead]));
        const [staying] = await inUse.followers();
        note("3 → 1, the leader leaves", await inUse.change([staying!]));
        return found;
    } finally {
        inUse.close();
    }
}

async function changeByHand(bed: Bed): Promise<readonly Measured[]> {
    const cluster = new ByHand(bed);
    const found: Measured[] = [];
    const note = async (change: string, act: () => Promise<void>): Promise<void> => {
        const { report, seconds } = await inUseByHand(act);
        found.push({ ...noted(change, report), seconds });
    };
    const spare = (): string => bed.lab.hosts.find(({ name }) => !cluster.members.includes(name))!.name;
    const follower = (leader: string): string => cluster.members.find((name) => name !== leader)!;
    await cluster.install(bed.lab.hosts.map(({ name }) => name));
    await cluster.bootstrap("a");
    await note("1 → 3", () => cluster.add(["b", "c"]));
    await note("rolling restart", () => cluster.restartAll());
    const leaving = follower(await cluster.leader());
    await note("follower replaced", async () => {
        await cluster.add([spare()]);
        await cluster.remove(leaving);
    });
    const leader = await cluster.leader();
    await note("leader replaced", async () => {
        await cluster.add([spare()]);
        await cluster.moveLeader(follower(leader));
        await cluster.remove(leader);
    });
    const dead = await cluster.leader();
    const killed = await inUseByHand(() => bed.lab.host(dead).kill());
    found.push(noted("leader's host killed", killed.report));
    await note("dead host replaced", async () => {
        const next = spare();
        await cluster.remove(dead);
        await cluster.add([next]);
    });
    const last = await cluster.leader();
    await note("3 → 1, the leader leaves", async () => {
        const staying = follower(last);
        await cluster.moveLeader(staying);
        for (const name of cluster.members.filter((other) => other !== staying)) await cluster.remove(name);
    });
    return found;

    async function inUseByHand(act: () => Promise<void>): Promise<{ report: WorkloadReport; seconds: number }> {
        const up = (): readonly string[] =>
            cluster.endpoints(cluster.members.filter((name) => bed.lab.host(name).isRunning()));
        const workload = await Workload.start(up(), undefined);
        try {
            await workload.progress(WRITES, 120);
            await workload.phase(CHANGE);
            const began = performance.now();
            await act();
            const seconds = (performance.now() - began) / 1000;
            await workload.progress(WRITES, 120);
            await workload.phase("after");
            await workload.useAll(up());
            await workload.progress(WRITES, 120);
            return { report: await workload.stop(up()), seconds };
        } finally {
            workload.abandon();
        }
    }
}

/** @throws when the run was unsound: no figure is worth anything then */
function noted(change: string, report: WorkloadReport): Measured {
    assertSound(report);
    const [before, during] = report.phases;
    console.error(`  ${change}: longest gap ${during!.longestGapMs.toFixed(0)} ms, ${during!.failed} writes failed`);
    return { change, before: before!, during: during! };
}
