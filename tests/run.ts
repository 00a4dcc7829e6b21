/**
 * `npm test`: types, lint, formatting, then every suite, from the fastest to the one that needs hosts. Arguments choose suites by name:
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

interface Suite {
    readonly name: string;
    /** @param isChosen by name, and not because all are run */
    readonly run: (isChosen: boolean) => Promise<Tally>;
}

/** For CI to end in time also on a slow machine, these are run only when their suite is asked for by name (docs/faults.md says why these). */
const ON_REQUEST: Readonly<Record<string, readonly string[]>> = {
    integration: [
        ...["access", "adoption", "badInput", "guards", "handMade", "install", "interrupt", "lock", "operator"],
        ...["otherState", "plainHttp", "preflight", "readdress", "security", "sideBySide", "sources"],
        ...["stacks", "versions"],
    ],
    faults: [
        ...["backup", "certificates", "changes", "clock", "death", "disk", "joining", "network", "rotation"],
        "upgrade",
    ],
};
/** What takes long begins first, so that all streams end at about the same time. */
const LONGEST_FIRST = ["death", "rotation", "changes", "joining", "restore", "network", "quorum"];
/** All faults wait for much of their time: so many files go side by side. */
const STREAMS = 2;

const suites: readonly Suite[] = [
    { name: "types", run: () => single(bin("tsc"), ["--noEmit"]) },
    { name: "lint", run: () => single(bin("eslint"), ["."]) },
    { name: "format", run: () => single(bin("prettier"), ["--check", "--log-level", "warn", "."]) },
    ...["unit", "toolchain", "plugins", "lab", "remote", "integration", "faults"].map((name) => ({
        name,
        run: (isChosen: boolean) => {
            const files = testFiles(join(checkout, "tests", name));
            const chosen = files.filter((file) => isChosen || !ON_REQUEST[name]?.includes(basename(file, ".test.ts")));
            return name === "faults" && isChosen ? sideBySide(chosen) : mocha(chosen);
        },
    })),
];

async function main(): Promise<void> {
    const files = process.argv.slice(2).filter((argument) => argument.endsWith(".test.ts"));
    const chosen = process.argv.slice(2).filter((argument) => !files.includes(argument));
    const unknown = chosen.find((name) => !suites.some((suite) => suite.name === name));
    if (unknown)
        throw new Error(`there is no suite "${unknown}"; there are ${suites.map(({ name }) => name).join(", ")}`);
    let [passed, failed] = [0, 0];
    const failures: string[] = [];
    const all = files.length + chosen.length === 0;
    const wanted = suites.filter(({ name }) => all || chosen.includes(name));
    if (files.length > 0) wanted.push({ name: files.join(" "), run: () => mocha(files) });
    for (const suite of wanted) {
        const began = performance.now();
        console.log(`\n== ${suite.name}`);
        const tally = await suite.run(!all);
        passed += tally.passed;
        failed += tally.failed;
        failures.push(...tally.failures.map((failure) => `${suite.name}: ${failure}`));
        console.log(
            `== ${suite.name}: ${tally.passed} passed, ${tally.failed} failed (${Math.round((performance.now() - began) / 1000)} s)`,
        );
    }
    for (const failure of failures) console.log(`failed: ${failure}`);
    console.log(`\n${passed} passed, ${failed} failed`);
    process.exitCode = failed > 0 ? 1 : 0;
}

/** A check that passes or fails as a whole. */
async function single(program: string, args: readonly string[]): Promise<Tally> {
    const { code } = await run(program, args);
    return code === 0
        ? { passed: 1, failed: 0, failures: [] }
        : { passed: 0, failed: 1, failures: [basename(program)] };
}

/** Each file in a process of its own. What they print has the file's name before it. */
async function sideBySide(files: readonly string[]): Promise<Tally> {
    const rank = (file: string): number => {
        const index = LONGEST_FIRST.indexOf(basename(file, ".test.ts"));
        return index < 0 ? LONGEST_FIRST.length : index;
    };
    const waiting = [...files].sort((a, b) => rank(a) - rank(b));
    const tallies: Tally[] = [];
    const work = async (): Promise<void> => {
        for (let file = waiting.shift(); file !== undefined; file = waiting.shift())
            tallies.push(await mocha([file], basename(file, ".test.ts")));
    };
    await Promise.all(Array.from({ length: STREAMS }, work));
    return {
        passed: tallies.reduce((sum, { passed }) => sum + passed, 0),
        failed: tallies.reduce((sum, { failed }) => sum + failed, 0),
        failures: tallies.flatMap(({ failures }) => failures),
    };
}

/** @param label before each line that is printed; without one, all is printed as it comes */
async function mocha(files: readonly string[], label?: string): Promise<Tally> {
    const began = performance.now();
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
    if (label !== undefined) console.log(`${label}: ${Math.round((performance.now() - began) / 1000)} s`);
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

function run(program: string, args: readonly string[], label?: string): Promise<{ code: number; text: string }> {
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
