import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { checkout, start, temporaryDirectory, until, type Ended, type Started } from "./process";

const bootstrap = join(checkout, "toolchain", "bootstrap.js");
const report = join(__dirname, "fixtures", "report.ts");
const nodeRecipe = JSON.parse(readFileSync(join(checkout, "toolchain", "node", "package.json"), "utf8")) as {
    readonly optionalDependencies: Readonly<Record<string, string>>;
};

interface Report {
    readonly arguments: readonly string[];
    readonly node: string;
    readonly path: string;
}

describe("the bootstrap", () => {
    const run = (...args: string[]): Started => start(process.execPath, [bootstrap, ...args], process.env);

    /** Runs it as another Node or another system would. */
    const runAs = (change: string, more: NodeJS.ProcessEnv = {}): Started => {
        const script = `${change}; process.argv = ["node", "bootstrap.js", ${JSON.stringify(report)}, "0"]; require(${JSON.stringify(bootstrap)})`;
        return start(process.execPath, ["--eval", script], { ...process.env, ...more });
    };
    const claimNode = (version: string): string =>
        `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${version}" } })`;

    it("runs TypeScript under Node 22 or later and passes arguments and exit code on", async () => {
        const { code, stdout } = await run(report, "7", "", "two words", "--yes").ended;
        const told = JSON.parse(stdout) as Report;
        assert.equal(code, 7);
        assert.deepEqual(told.arguments, ["7", "", "two words", "--yes"]);
        assert(Number(told.node.split(".")[0]) >= 22);
    });

    it("hands a signal on and waits for the program's own end", async () => {
        const started = run(report, "5", "wait");
        await until("the program runs", () => started.stdout().includes("\n"));
        started.child.kill("SIGTERM");
        const { code, signal } = await started.ended;
        assert.deepEqual([code, signal], [5, null]);
    });

    it("asks for a file", async () => {
        const { code, stderr } = await run().ended;
        assert.equal(code, 1);
        assert.match(stderr, /^error: usage: /);
    });

    it("refuses a Node that is too old to go on", async () => {
        const { code, stderr } = await runAs(claimNode("16.20.0")).ended;
        assert.equal(code, 1);
        assert.match(stderr, /^error: this needs Node 18 or later, and \S+ is 16\.20\.0: install a newer one/);
    });

    it("refuses a system that is not Linux", async () => {
        const { code, stderr } = await runAs('Object.defineProperty(process, "platform", { value: "darwin" })').ended;
        assert.equal(code, 1);
        assert.match(stderr, /^error: this needs Linux, and this machine runs darwin/);
    });

    it("installs a newer Node once, for two runs at once, and puts it on their PATH", async () => {
        const place = temporaryDirectory();
        const old = claimNode("20.0.0");
        const ends = await Promise.all([1, 2].map(() => runAs(old, { XDG_CACHE_HOME: place }).ended));
        for (const { code, stdout, stderr } of ends) {
            assert.equal(code, 0, stderr);
            const told = JSON.parse(stdout) as Report;
            assert(Number(told.node.split(".")[0]) >= 22);
            assert(told.path.startsWith(join(place, "pulumi-etcd", "node-linux-")));
        }
        assert.equal(countOf(/installing from npm/, ends), 1);
        rmSync(place, { recursive: true });
    });

    it("keeps to a Node that mocha and ESLint take, and puts the one from npm in place of any other", async () => {
        const place = temporaryDirectory();
        const name = `node-linux-${process.arch}`;
        const pinned = nodeRecipe.optionalDependencies[name];
        const bin = join(place, "pulumi-etcd", `${name}-${pinned}`, "node_modules", name, "bin");
        mkdirSync(bin, { recursive: true });
        symlinkSync(process.execPath, join(bin, "node"));
        const isTaken = async (version: string): Promise<boolean> => {
            const { code, stdout, stderr } = await runAs(claimNode(version), { XDG_CACHE_HOME: place }).ended;
            assert.equal(code, 0, stderr);
            return !(JSON.parse(stdout) as Report).path.startsWith(bin);
        };
        for (const version of ["22.13.0", "22.23.3", "24.0.0", "25.1.0"]) assert(await isTaken(version), version);
        for (const version of ["20.19.0", "22.0.0", "22.12.0", "23.11.0"]) assert(!(await isTaken(version)), version);
        rmSync(place, { recursive: true });
    });
});

describe("the npm packages", () => {
    const { header } = process.report.getReport() as { readonly header: { readonly glibcVersionRuntime?: string } };
    const libc = header.glibcVersionRuntime === undefined ? "musl" : "glibc";
    let place: string;

    beforeEach(() => {
        place = temporaryDirectory();
        mkdirSync(join(place, "one"));
        describePackage("one", { name: "one", version: "1.0.0" });
        describePackage(".", { name: "all", version: "1.0.0", dependencies: { one: "file:./one" } });
        execFileSync("npm", ["install", "--package-lock-only", "--no-audit"], { cwd: place, stdio: "ignore" });
    });

    afterEach(() => rmSync(place, { recursive: true }));

    const describePackage = (directory: string, content: object): void =>
        writeFileSync(join(place, directory, "package.json"), JSON.stringify(content));

    /** Has them depend on packages of these fields, where npm finds that they can be installed. */
    const dependOptionally = (packages: Readonly<Record<string, object>>): void => {
        for (const [name, fields] of Object.entries(packages)) {
            mkdirSync(join(place, name));
            describePackage(name, { name, version: "1.0.0", ...fields });
            execFileSync("npm", ["pack", `./${name}`], { cwd: place, stdio: "ignore" });
        }
        const optionalDependencies = Object.fromEntries(
            Object.keys(packages).map((name) => [name, `file:./${name}-1.0.0.tgz`]),
        );
        describePackage(".", { name: "all", version: "1.0.0", optionalDependencies });
        execFileSync("npm", ["install", "--package-lock-only", "--no-audit"], { cwd: place, stdio: "ignore" });
    };

    const installed = (): string[] => readdirSync(join(place, "node_modules")).filter((name) => !name.startsWith("."));

    const ensure = (arch: string = process.arch): Promise<Ended> => {
        const packages = JSON.stringify(join(checkout, "toolchain", "packages.js"));
        const claim = `Object.defineProperty(process, "arch", { value: "${arch}" })`;
        const script = `${claim}; require(${packages}).ensurePackages(${JSON.stringify(place)})`;
        const env = { ...process.env, XDG_CACHE_HOME: join(place, "cache") };
        return start(process.execPath, ["--eval", script], env).ended;
    };

    it("are installed when they are missing, once for two runs at once", async () => {
        const ends = await Promise.all([ensure(), ensure()]);
        assert.deepEqual(
            ends.map(({ code }) => code),
            [0, 0],
        );
        assert.equal(countOf(/installing \(npm ci\)/, ends), 1);
        assert(existsSync(join(place, "node_modules", "one", "package.json")));
        assert.equal((await ensure()).stderr, "");
    });

    it("are left alone when somebody else installed them", async () => {
        execFileSync("npm", ["ci"], { cwd: place, stdio: "ignore" });
        assert.equal((await ensure()).stderr, "");
    });

    it("are installed again where another machine's were installed, by us or by somebody else", async () => {
        const other = process.arch === "x64" ? "arm64" : "x64";
        dependOptionally({ ours: { cpu: [process.arch] }, theirs: { cpu: [other] } });
        execFileSync("npm", ["ci"], { cwd: place, stdio: "ignore" });
        assert.deepEqual(installed(), ["ours"]);
        assert.equal(countOf(/installing \(npm ci\)/, [await ensure(other)]), 1);
        execFileSync("npm", ["ci"], { cwd: place, stdio: "ignore" });
        assert.equal((await ensure()).stderr, "");
        assert.equal(countOf(/installing \(npm ci\)/, [await ensure(other)]), 1);
    });

    it("are left alone when what is missing is for other machines, or optional on all", async () => {
        const here = { os: [process.platform], cpu: [process.arch] };
        dependOptionally({
            here: { ...here, libc: [libc] },
            otherLibc: { ...here, libc: [libc === "glibc" ? "musl" : "glibc"] },
            otherSystem: { ...here, os: ["darwin"] },
            excluded: { cpu: [`!${process.arch}`] },
            newer: { engines: { node: ">=1000" } },
        });
        execFileSync("npm", ["ci"], { cwd: place, stdio: "ignore" });
        assert.deepEqual(installed(), ["here"]);
        assert.equal((await ensure()).stderr, "");
    });

    it("say what to do when npm fails", async () => {
        describePackage(".", { name: "all", version: "1.0.0", dependencies: { one: "file:./one", two: "file:./two" } });
        const { code, stderr } = await ensure();
        assert.equal(code, 1);
        assert.match(stderr, /npm ci failed \(exit code 1, see above\): the npm registry must be reachable once/);
    });
});

function countOf(pattern: RegExp, ends: readonly Ended[]): number {
    return ends.filter(({ stderr }) => pattern.test(stderr)).length;
}
