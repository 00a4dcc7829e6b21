/**
 * `npm run bench`: what the package costs, as ratios to a floor measured in the same run, since machines differ and are noisy. Arguments:
 * how often each figure is measured (5); or `changes`, and how often, for those of changes under load (bench/changes.ts).
 */
import { join } from "node:path";

import { pool } from "../components/remote/connectionPool";
import { openBed, type Bed } from "../tests/integration/fixture";
import type { Run } from "../tests/integration/project";
import { cacheDirectory } from "../toolchain";
import type { PhaseReport } from "../tests/faults/workload/measures";
import { addressTowards, assertSound, Workload, workloadClient } from "../tests/faults/workload/workload";
import { benchChanges } from "./changes";
import { openFloor, openLeast, type Floor } from "./floor";
import { openUserProject, setProviderLines, setTypeCheck } from "./userProject";

const cluster = "bench";
const GROWTH = "1 → 3";

/** As a user's shell has it who never heard of it: nothing is kept but what the package keeps by itself. */
const PLAIN = "";
/** For both sides: what Node has compiled, the floor's compiler too, is kept from run to run. */
const KEPT: NodeJS.ProcessEnv = { NODE_COMPILE_CACHE: join(cacheDirectory(), "compile-cache") };

interface Growth {
    readonly ratio: number;
    readonly seconds: number;
    /** From the first `member add` to the last promotion. */
    readonly membershipSeconds: number;
    /** What those who wrote meanwhile saw. */
    readonly written: PhaseReport | undefined;
}

async function main(): Promise<void> {
    const [first, second] = process.argv.slice(2);
    const ofChanges = first === "changes";
    const asked = ofChanges ? second : first;
    const rounds = Number(asked ?? (ofChanges ? 3 : 5));
    if (!Number.isInteger(rounds) || rounds < 1)
        throw new Error(`the number of rounds is "${asked}"; wanted is 1 or more`);
    if (ofChanges) return benchChanges(rounds);
    process.env.NODE_COMPILE_CACHE = PLAIN;
    const floor = await openFloor();
    const bed = await openBed("bench", "10.90.1", 3, { storage: "disk" });
    try {
        await floor.measure();
        const idle = await repeat(rounds, `1→3 on bare hosts, idle`, () => grow(bed, floor, false));
        const busy = await repeat(rounds, `1→3 on bare hosts, with a writer`, () => grow(bed, floor, true));
        const noChange = await unchanged(bed, floor, rounds);
        report(idle, busy, noChange);
    } finally {
        pool.closeAll();
        floor.close();
        await bed.lab.down();
    }
}

/** From one member to three, on hosts that hold nothing. */
async function grow(bed: Bed, floor: Floor, hasWriter: boolean): Promise<Growth> {
    await Promise.all(["a", "b", "c"].map((name) => bed.lab.host(name).rebuild()));
    const project = await openUserProject();
    try {
        const clients = [workloadClient(await addressTowards(bed.lab.host("a").address))];
        await project.mustUp({ [cluster]: bed.declare(1, { clients }) });
        const floorSeconds = await floor.measure();
        const { endpoints, operator } = (await project.outputs())[cluster]!;
        const workload = hasWriter ? await Workload.start(endpoints, operator, { phase: GROWTH }) : undefined;
        const run = await project.mustUp({ [cluster]: bed.declare(3, { clients }) });
        await workload?.phase("after", 0);
        const report = await workload?.stop();
        if (report) assertSound(report);
        const written = report?.phases.find(({ name }) => name === GROWTH);
        return {
            ratio: run.seconds / floorSeconds,
            seconds: run.seconds,
            membershipSeconds: membershipSeconds(run),
            written,
        };
    } finally {
        project.close();
    }
}

/** Each step's line ends with the time since the run began. */
function membershipSeconds({ text }: Run): number {
    const at = (pattern: RegExp): number[] => [...text.matchAll(pattern)].map((match) => Number(match[1]));
    const added = at(/\d+\/\d+ add "[^\n]*\((\d+\.\d+) s\)/g);
    const promoted = at(/\d+\/\d+ promote "[^\n]*\((\d+\.\d+) s\)/g);
    return Math.max(...promoted) - Math.min(...added);
}

interface NoChange {
    readonly ratio: number;
    readonly seconds: number;
    readonly floorSeconds: number;
    /** Of a program with one dynamic resource that does nothing. */
    readonly leastRatio: number;
    /** Without the package's lines in `Pulumi.yaml`. */
    readonly withoutLinesRatio: number;
    /** With what Node compiles kept, on both sides. */
    readonly keptRatio: number;
    /** With types checked, as the floor is. */
    readonly checkedRatio: number;
    readonly connectionsPerHost: readonly number[];
}

async function unchanged(bed: Bed, floor: Floor, rounds: number): Promise<readonly NoChange[]> {
    await Promise.all(["a", "b", "c"].map((name) => bed.lab.host(name).rebuild()));
    const project = await openUserProject();
    const least = await openLeast();
    const keeping = project.with(KEPT);
    const clusters = { [cluster]: bed.declare(3) };
    try {
        await project.mustUp(clusters);
        await least.measure();
        // The first of each has something to compile.
        await floor.measure(KEPT);
        await keeping.mustUp(clusters);
        return await repeat(rounds, "no change, 3 members", async () => {
            const floorSeconds = await floor.measure();
            const leastSeconds = await least.measure();
            const before = await logins(bed);
            const { seconds, text } = await project.mustUp(clusters);
            if (/\b(created|updated|replaced|deleted)\b/.test(text))
                throw new Error(`this up should have changed nothing:\n${text}`);
            const after = await logins(bed);
            setProviderLines(project, false);
            const withoutLines = await project.mustUp(clusters);
            setProviderLines(project, true);
            const keptFloor = await floor.measure(KEPT);
            const kept = await keeping.mustUp(clusters);
            setTypeCheck(project, true);
            const checked = await project.mustUp(clusters);
            setTypeCheck(project, false);
            return {
                ratio: seconds / floorSeconds,
                seconds,
                floorSeconds,
                leastRatio: leastSeconds / floorSeconds,
                withoutLinesRatio: withoutLines.seconds / floorSeconds,
                keptRatio: kept.seconds / keptFloor,
                checkedRatio: checked.seconds / floorSeconds,
                connectionsPerHost: after.map((count, index) => count - before[index]!),
            };
        });
    } finally {
        project.close();
        least.close();
    }
}

/** How often each host's SSH server has let somebody in. */
async function logins(bed: Bed): Promise<readonly number[]> {
    return Promise.all(
        ["a", "b", "c"].map(async (name) =>
            Number(
                await bed.lab
                    .host(name)
                    .output("journalctl -b --output cat -t sshd -t sshd-session | grep -c '^Accepted ' || true"),
            ),
        ),
    );
}

async function repeat<T>(rounds: number, what: string, measure: () => Promise<T>): Promise<readonly T[]> {
    const found: T[] = [];
    for (let round = 1; round <= rounds; round++) {
        console.error(`${what}: ${round} of ${rounds}`);
        found.push(await measure());
    }
    return found;
}

function report(idle: readonly Growth[], busy: readonly Growth[], noChange: readonly NoChange[]): void {
    const written = busy.flatMap((growth) => (growth.written ? [growth.written] : []));
    const rows: readonly (readonly [string, readonly number[], string])[] = [
        ["floor: `up` of an empty, type-checked program (s)", noChange.map((one) => one.floorSeconds), "–"],
        ["`up` without a change, 3 members, drift observed (s)", noChange.map((one) => one.seconds), "–"],
        ["… as a ratio to the floor", noChange.map((one) => one.ratio), "≤ 1"],
        ["… as a ratio, without the package's lines in Pulumi.yaml", noChange.map((one) => one.withoutLinesRatio), "–"],
        [
            "… of a program with one dynamic resource that does nothing, as a ratio",
            noChange.map((one) => one.leastRatio),
            "–",
        ],
        ["… as a ratio, with NODE_COMPILE_CACHE set for both", noChange.map((one) => one.keptRatio), "–"],
        ["… as a ratio, type-checked at each run", noChange.map((one) => one.checkedRatio), "–"],
        ["SSH connections per host in it", noChange.flatMap((one) => one.connectionsPerHost), "few"],
        ["`up` that grows 1→3 on bare hosts (s)", idle.map((growth) => growth.seconds), "–"],
        ["… as a ratio to the floor", idle.map((growth) => growth.ratio), "≤ 2.5"],
        ["first `member add` to last promotion, idle (s)", idle.map((growth) => growth.membershipSeconds), "≤ 0.6"],
        [
            "first `member add` to last promotion, with a writer (s)",
            busy.map((growth) => growth.membershipSeconds),
            "≤ 1",
        ],
        [
            "longest gap between acknowledged writes in that `up` (s)",
            written.map((one) => one.longestGapMs / 1000),
            "≤ 0.1",
        ],
        ["failed writes in that `up`", written.map((one) => one.failed), "0"],
        ["acknowledged writes in that `up`", written.map((one) => one.acknowledged), "–"],
    ];
    console.log("| figure | min | median | max | to reach |\n| --- | --- | --- | --- | --- |");
    for (const [name, values, goal] of rows) {
        const sorted = [...values].sort((a, b) => a - b);
        const median = sorted[Math.floor(sorted.length / 2)]!;
        console.log(`| ${name} | ${[sorted[0]!, median, sorted.at(-1)!].map(shown).join(" | ")} | ${goal} |`);
    }
}

function shown(value: number): string {
    return Number.isInteger(value) ? String(value) : value.toFixed(2);
}

main().catch((error: unknown) => {
    console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
});
