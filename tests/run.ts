/**
 * `npm test`: types, lint, formatting, units, and every suite that needs hosts, two at a time. Arguments choose suites by name:
 * `npm test -- unit lab`, or single files of tests by their path. Ends with `N passed, N failed`. Without any, some files of
 * `integration` and `faults` are left out.
 */
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";

const checkout = join(__dirname, "..");
const bin = (name: string): string => join(checkout, "node_modules", ".bin", name);

interface Tally {
    readonly passed: number;
    readonly failed: number;
    /** What failed: a line with its whole title, then lines that say why. */
    readonly failures: readonly string[];
}

/** What is run by a process of its own, beside others. */
interface Job {
    readonly name: string;
    /** @param label before each line that is printed; without one, all is printed as it comes */
    readonly run: (label: string | undefined) => Promise<Tally>;
}

/** For CI to end in time also on a slow machine, these are run only when their suite is asked for by name (docs/faults.md says why these). */
const ON_REQUEST: Readonly<Record<string, readonly string[]>> = {
    integration: [
        ...["access", "adoption", "handMade", "install", "interrupt", "operator", "otherState", "plainHttp"],
        ...["preflight", "readdress", "sideBySide", "sources", "versions"],
    ],
    faults: [
        ...["backup", "certificates", "changes", "clock", "death", "disk", "joining", "network", "rotation"],
        "upgrade",
    ],
};
/** What takes long begins first, so that all streams end at about the same time. */
const LONGEST_FIRST = ["death", "rotation", "upgrade", "changes", "joining", "quorum", "restore", "network"].map(
    (fault) => `faults/${fault}`,
);
/** Most of what needs hosts waits for much of its time. */
const STREAMS = 2;

const CHECKS: readonly Job[] = [
    { name: "types", run: (label) => single(bin("tsc"), ["--noEmit"], label) },
    { name: "lint", run: (label) => single(bin("eslint"), ["."], label) },
    {
        name: "format",
        run: (label) => single(bin("prettier"), ["--check", "--log-level", "warn", "."], label),
    },
];
/** Their files share hosts, or take no time. */
const WHOLE_SUITES = ["unit", "toolchain", "plugins", "lab", "remote"];
/** Each of their files has hosts of its own. */
const SUITES_OF_FILES = ["integration", "faults"];

/** @param isChosen by name, and not because all are run */
function jobsOf(suite: string, isChosen: boolean): readonly Job[] {
    const check = CHECKS.find(({ name }) => name === suite);
    if (check) return [check];
    const files = testFiles(join(checkout, "tests", suite));
    if (WHOLE_SUITES.includes(suite)) return [{ name: suite, run: (label) => mocha(files, label) }];
    return files
        .map((file) => ({ file, title: basename(file, ".test.ts") }))
        .filter(({ title }) => isChosen || !ON_REQUEST[suite]?.includes(title))
        .map(({ file, title }) => ({ name: `${suite}/${title}`, run: (label) => mocha([file], label) }));
}

async function main(): Promise<void> {
    const files = process.argv.slice(2).filter((argument) => argument.endsWith(".test.ts"));
    const chosen = process.argv.slice(2).filter((argument) => !files.includes(argument));
    const suites = [...CHECKS.map(({ name }) => name), ...WHOLE_SUITES, ...SUITES_OF_FILES];
    const unknown = chosen.find((name) => !suites.includes(name));
    if (unknown) throw new Error(`there is no suite "${unknown}"; there are ${suites.join(", ")}`);
    const all = files.length + chosen.length === 0;
    const jobs = suites.filter((name) => all || chosen.includes(name)).flatMap((name) => jobsOf(name, !all));
    if (files.length > 0) jobs.push({ name: files.join(" "), run: (label) => mocha(files, label) });
    const tallies = await sideBySide(jobs);
    for (const failure of tallies.flatMap(({ failures }) => failures)) console.log(`failed: ${failure}`);
    const total = (of: "passed" | "failed"): number => tallies.reduce((sum, tally) => sum + tally[of], 0);
    console.log(`\n${total("passed")} passed, ${total("failed")} failed`);
    process.exitCode = total("failed") > 0 ? 1 : 0;
}

/** What several jobs print has their names before it. */
async function sideBySide(jobs: readonly Job[]): Promise<readonly Tally[]> {
    const rank = ({ name }: Job): number => {
        const index = LONGEST_FIRST.indexOf(name);
        return index < 0 ? LONGEST_FIRST.length : index;
    };
    const waiting = [...jobs].sort((a, b) => rank(a) - rank(b));
    const tallies: Tally[] = [];
    const work = async (): Promise<void> => {
        for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
            const { name } = job;
            const began = performance.now();
            const tally = await job.run(jobs.length > 1 ? name : undefined);
            const seconds = Math.round((performance.now() - began) / 1000);
            console.log(`== ${name}: ${tally.passed} passed, ${tally.failed} failed (${seconds} s)`);
            tallies.push({ ...tally, failures: tally.failures.map((failure) => `${name}: ${failure}`) });
        }
    };
    await Promise.all(Array.from({ length: STREAMS }, work));
    return tallies;
}

/** A check that passes or fails as a whole. */
async function single(program: string, args: readonly string[], label: string | undefined): Promise<Tally> {
    const { code } = await run(program, args, label);
    return code === 0
        ? { passed: 1, failed: 0, failures: [] }
        : { passed: 0, failed: 1, failures: [basename(program)] };
}

async function mocha(files: readonly string[], label: string | undefined): Promise<Tally> {
    const { code, text } = await run(
        process.execPath,
        [
            join(checkout, "node_modules", "mocha", "bin", "mocha.js"),
            "--require",
            join(checkout, "toolchain", "register.js"),
            "--forbid-only",
            "--forbid-pending",
            "--exit",
            "--timeout",
            "1200000",
            ...files,
        ],
        label,
    );
    const counted = (word: string): number => Number(new RegExp(`^\\s+(\\d+) ${word}`, "m").exec(text)?.[1] ?? 0);
    const [passed, failed] = [counted("passing"), counted("failing")];
    const isBroken = code !== 0 && failed === 0;
    const isEmpty = passed + failed === 0;
    const failures = failuresIn(text);
    if (isBroken || isEmpty) return { passed, failed: 1, failures: [`mocha ended with ${code}`] };
    return { passed, failed, failures };
}

const REASON_LINES = 8;
/** What the engine says in the end, after all that it did. */
const DIAGNOSIS_LINES = 24;

/** From mocha's list of what failed: a number, then the titles of suites and test, a line each, the last one with a colon, then why. */
function failuresIn(text: string): readonly string[] {
    const list = text.slice(text.search(/^\s+\d+ failing$/m));
    return list
        .split(/^ {2}\d+\) /m)
        .slice(1)
        .map((failure) => {
            const [, titles = "", reason = ""] = /^((?:.*\n)*?.*):\n([^]*)/.exec(failure) ?? [];
            const lines = reason.split("\n").filter((line) => line.trim() !== "");
            const diagnosis = lines.findIndex((line) => line.trim() === "Diagnostics:");
            const why =
                diagnosis < 0
                    ? lines.slice(0, REASON_LINES)
                    : [...lines.slice(0, 1), ...lines.slice(diagnosis, diagnosis + DIAGNOSIS_LINES)];
            return [titles.split(/\s*\n\s*/).join(" › "), ...why].join("\n");
        });
}

function testFiles(directory: string): readonly string[] {
    return readdirSync(directory, { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".test.ts"))
        .sort()
        .map((file) => join(directory, file));
}

function run(
    program: string,
    args: readonly string[],
    label: string | undefined,
): Promise<{ code: number; text: string }> {
    return new Promise((resolve, reject) => {
        const child = spawn(program, args, { cwd: checkout, stdio: ["ignore", "pipe", "pipe"] });
        let text = "";
        for (const stream of [child.stdout, child.stderr]) {
            stream.setEncoding("utf8").on("data", (piece: string) => {
                text += piece;
                if (label === undefined) process.stdout.write(piece);
            });
            if (label !== undefined)
                createInterface({ input: stream }).on("line", (line) => console.log(`${label} | ${line}`));
        }
        child.on("error", reject);
        child.on("close", (code) => resolve({ code: code ?? 255, text }));
    });
}

main().catch((error: unknown) => {
    console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
    console.log("0 passed, 1 failed");
    process.exitCode = 1;
});
