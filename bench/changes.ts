/**
 * `npm run bench -- changes [ROUNDS]`: what a change of a cluster in use costs those who use it, and how long it takes, beside the same
 * change made with plain etcdctl in the same run.
 */
import { cpus, loadavg } from "node:os";

import { ClusterInUse, type Changed } from "../tests/faults/clusterInUse";
import type { PhaseReport } from "../tests/faults/workload/measures";
import { assertSound, type WorkloadReport } from "../tests/faults/workload/workload";
import { openBed, type Bed } from "../tests/integration/fixture";
import { CHANGES, rolesIn } from "./changeList";
import { changesTable } from "./changesTable";
import { HandInUse } from "./handInUse";

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
    const bed = await openBed("wl-bench", "10.106.2", 7, { storage: "disk" });
    const addresses = bed.lab.hosts.map(({ name, address }) => ({ name, address }));
    const renew = async (): Promise<void> => {
        for (const { name, address } of addresses)
            if (bed.lab.host(name).address !== address) await bed.lab.readdress(name, address);
        await Promise.all(bed.lab.hosts.map((host) => host.rebuild()));
    };
    const [ours, byHand]: [Measured[], Measured[]] = [[], []];
    const loads: number[] = [];
    try {
        for (let round = 1; round <= rounds; round++) {
            console.error(`changes by hand: ${round} of ${rounds}`);
            await renew();
            byHand.push(...(await changeByHand(bed)));
            console.error(`changes by up: ${round} of ${rounds}`);
            await renew();
            ours.push(...(await changeByUp(bed)));
            loads.push(loadavg()[0]!);
            // Each time, since a round takes long: what is there is not lost with a later one.
            console.log(changesTable(CHANGES, ours, byHand));
            const shares = loads.map((load) => load.toFixed(1)).join(", ");
            console.log(`\nrounds: ${round}; load of this machine (${cpus().length} cores) at their ends: ${shares}\n`);
        }
    } finally {
        await bed.lab.down();
    }
}

async function changeByUp(bed: Bed): Promise<readonly Measured[]> {
    const inUse = await ClusterInUse.open(bed, "bench", WRITES);
    const found: Measured[] = [];
    try {
        await inUse.build(["a"]);
        for (const { name, byUp } of CHANGES) {
            const changed = await byUp(inUse, await rolesIn(inUse));
            found.push({ ...noted(name, changed.report), ...times(changed) });
        }
        return found;
    } finally {
        inUse.close();
    }
}

async function changeByHand(bed: Bed): Promise<readonly Measured[]> {
    const inUse = await HandInUse.open(bed, WRITES);
    const found: Measured[] = [];
    for (const { name, byHand } of CHANGES) {
        const { report, ...times } = await byHand(inUse, await rolesIn(inUse));
        found.push({ ...noted(name, report), ...times });
    }
    return found;
}

/** When each step was done is told in seconds since the first one began. */
function times({ run }: Changed): Pick<Measured, "seconds" | "stepSeconds"> {
    if (!run) return {};
    const done = [...run.text.matchAll(/\] \d+\/\d+ .*\((\d+\.\d+) s\)(?: \[.*\])?$/gm)].map((match) =>
        Number(match[1]),
    );
    return { seconds: run.seconds, stepSeconds: Math.max(0, ...done) };
}

/** @throws when the run was unsound: no figure is worth anything then */
function noted(change: string, report: WorkloadReport): Measured {
    assertSound(report);
    const [before, during] = report.phases;
    console.error(`  ${change}: longest gap ${during!.longestGapMs.toFixed(0)} ms, ${during!.failed} writes failed`);
    return { change, before: before!, during: during! };
}
