import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";

import type { Report } from "./lives";

/** Where to begin, and how many. The same seed is the same life, on any machine. */
const FIRST = Number(process.env.PULUMI_ETCD_SEED ?? 1);
const LIVES = Number(process.env.PULUMI_ETCD_LIVES ?? 100_000);

/** Small enough that the processes end at about the same time, and that a broken life is told soon. */
const BATCH = 10_000;

/** What a plan is made of: none of it may be rare in what is tried. */
const kinds = [
    ...["bootstrap", "let-in", "activate", "add-learner", "join", "start", "promote", "move-leader"],
    ...["remove", "retire", "set-aside", "record", "restart", "update-peer", "take-over", "secure-peers"],
];

function liveBatch(first: number, count: number): Promise<Report> {
    return new Promise((resolve, reject) => {
        const child = fork(join(__dirname, "lives.ts"), [String(first), String(count)], {
            // What a look makes is soon forgotten: with more room for the young, less is copied.
            execArgv: ["--max-semi-space-size=32", "--require", join(__dirname, "../../../toolchain/register.js")],
        });
        child.on("message", (report) => resolve(report as Report));
        child.on("error", reject);
        child.on("exit", (code) => reject(new Error(`lives from ${first} on: the process ended with ${code}`)));
    });
}

/** As many processes as there are processors. */
async function liveAll(): Promise<readonly Report[]> {
    const batches = Array.from({ length: Math.ceil(LIVES / BATCH) }, (_, index) => FIRST + index * BATCH);
    const reports: Report[] = [];
    const work = async (): Promise<void> => {
        for (let first = batches.shift(); first !== undefined; first = batches.shift()) {
            const report = await liveBatch(first, Math.min(BATCH, FIRST + LIVES - first));
            reports.push(report);
            if (report.broken.length > 0) return;
        }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, work));
    return reports;
}

describe("random lives of a cluster", () => {
    it("converge, keep their quorum, are founded once, and ask etcd for nothing that it refuses for good", async () => {
        const reports = await liveAll();
        const broken = reports.flatMap((report) => report.broken);
        assert.equal(
            broken.length,
            0,
            `\n${broken.join("\n\n")}\n\nagain: PULUMI_ETCD_SEED=<life> PULUMI_ETCD_LIVES=1`,
        );
        const sum = (count: (report: Report) => number): number =>
            reports.reduce((total, report) => total + count(report), 0);
        const lives = sum((report) => report.lives);
        assert.equal(lives, LIVES);
        const [runs, deaths, faults] = [sum((r) => r.runs), sum((r) => r.deaths), sum((r) => r.faults)];
        console.log(`      ${lives} lives from seed ${FIRST}: ${runs} runs, ${deaths} of which died, ${faults} faults`);
        if (lives < 10_000) return;
        for (const kind of kinds) {
            const times = sum((report) => report.steps[kind] ?? 0);
            assert.ok(times > lives / 50, `the lives hold ${times} steps "${kind}" only`);
        }
        assert.ok(deaths > lives / 2 && faults > lives / 2, "too few deaths or faults to mean anything");
    });
});
