import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { promisify } from "node:util";

import { parseDocument } from "yaml";

import { attachLab, closeLab, openLab, type Lab } from "../../lab";
import { environmentStates } from "../../lab/lab";
import { layOutRelease, releaseArchive } from "../../lab/release";
import { readStackFile } from "../../lab/stackFile";
import { etcdctl, startTimes, voters } from "./fixture";
import { diagnoseFailures } from "./diagnose";
import { Project, type ClusterOutputs } from "./project";

const stacks = ["lab", "tools", "toolsbeta"] as const;
type Stack = (typeof stacks)[number];

const HOSTS = ["config", "pulumi-etcd:hosts"];
/** The hosts that somebody may write into a stack's file: those that it has, and some more. */
const MOST = { lab: 3, tools: 5, toolsbeta: 3 } as const;
const NETWORKS = { lab: "10.77.9", tools: "10.77.1", toolsbeta: "10.77.2" } as const;

/** Hosts that somebody works on are not taken from them. */
function assertUnused(environment: string): void {
    const isInUse = environmentStates(environment).length > 0;
    assert.ok(!isInUse, `environment "${environment}" is up: npm run lab -- down ${environment}, and test again`);
}

describe("the committed stacks", () => {
    let project: Project;
    const labs = new Map<Stack, Lab>();

    before(async () => {
        stacks.forEach(assertUnused);
        project = await Project.openCommitted();
        await layOutRelease(project.directory, await releaseArchive("3.6"));
        for (const stack of stacks) {
            const { hosts, ...spec } = readStackFile(stack, stackFile(stack));
            assert.deepEqual(hosts, hostsOf(stack).slice(0, hosts.length));
            const lab = await openLab({ ...spec, hosts: hostsOf(stack) });
            labs.set(stack, lab);
            const keys = join(project.directory, ".lab", stack);
            mkdirSync(keys, { recursive: true });
            cpSync(lab.privateKeyFile, join(keys, "id_ed25519"));
            cpSync(lab.knownHostsFile, join(keys, "known_hosts"));
            await project.mustRun(["stack", "init", stack]);
        }
    });

    after(async () => {
        project?.close();
        await Promise.all([...labs.values()].map((lab) => lab.down()));
    });

    for (const stack of stacks) diagnoseFailures(() => labs.get(stack));

    function stackFile(stack: Stack): string {
        return join(project.directory, `Pulumi.${stack}.yaml`);
    }

    function hostsOf(stack: Stack): readonly { readonly name: string; readonly address: string }[] {
        return Array.from({ length: MOST[stack] }, (_, index) => ({
            name: `${clusterOf(stack)}-${index + 1}`,
            address: `${NETWORKS[stack]}.${11 + index}`,
        }));
    }

    async function up(stack: Stack, ...flags: readonly string[]): Promise<void> {
        const run = await project.start(["up", "--yes", "--skip-preview", "--stack", stack, ...flags]).finished;
        assert.equal(run.code, 0, run.text);
    }

    async function outputs(stack: Stack): Promise<ClusterOutputs> {
        const { text } = await project.mustRun(["stack", "output", "--json", "--show-secrets", "--stack", stack]);
        return JSON.parse(text.slice(text.indexOf("{"))) as ClusterOutputs;
    }

    function clusterOf(stack: Stack): string {
        return stack === "lab" ? "lab-etcd" : `${stack}-k8s-etcd`;
    }

    async function assertMembers(stack: Stack, count: number): Promise<void> {
        const lab = labs.get(stack)!;
        const names = hostsOf(stack)
            .slice(0, count)
            .map(({ name }) => name);
        for (const name of names) {
            assert.deepEqual(await voters(lab.host(name), clusterOf(stack)), names);
            assert.match(await etcdctl(lab.host(name), clusterOf(stack), "get stack"), new RegExp(`\\b${stack}\\b`));
        }
        const { endpoints, members } = await outputs(stack);
        assert.deepEqual(
            endpoints,
            names.map((name) => `https://${lab.host(name).address}:2379`),
        );
        assert.deepEqual(
            members.map((member) => member.name),
            names,
        );
    }

    it("come up side by side, at the same time, with the members that their files declare", async () => {
        await Promise.all(stacks.map((stack) => up(stack)));
        for (const stack of stacks) {
            await etcdctl(labs.get(stack)!.host(`${clusterOf(stack)}-1`), clusterOf(stack), `put stack ${stack}`);
            await assertMembers(stack, stack === "lab" ? 1 : 3);
        }
    });

    it("are scaled by editing a stack's file, and only that stack changes", async () => {
        await edit("lab", 3);
        await assertMembers("lab", 3);
        await edit("tools", 5);
        await assertMembers("tools", 5);
        await edit("toolsbeta", 1);
        await assertMembers("toolsbeta", 1);
        await edit("toolsbeta", 3);
        await assertMembers("toolsbeta", 3);
    });

    /** Writes so many hosts into the stack's file, and brings it up while all others stay as they are. */
    async function edit(stack: Stack, count: number): Promise<void> {
        const others = stacks.filter((other) => other !== stack);
        const before = await Promise.all(others.map(starts));
        const file = parseDocument(readFileSync(stackFile(stack), "utf8"));
        file.setIn(HOSTS, file.createNode(hostsOf(stack).slice(0, count)));
        writeFileSync(stackFile(stack), file.toString());
        await up(stack);
        assert.deepEqual(await Promise.all(others.map(starts)), before);
    }

    async function starts(stack: Stack): Promise<unknown> {
        const { members } = await outputs(stack);
        return startTimes(
            labs.get(stack)!,
            members.map(({ name }) => name),
            clusterOf(stack),
        );
    }

    it("are left alone by a second up", async () => {
        for (const stack of stacks) await up(stack, "--expect-no-changes");
    });
});

describe("the demo", () => {
    const checkout = join(__dirname, "..", "..");
    const environment = "lab";
    const notCopied = ["node_modules", ".git", ".lab"];
    let copy: string;
    let printed: string;

    before(() => {
        assertUnused(environment);
        copy = mkdtempSync(join(tmpdir(), "pulumi-etcd-demo-"));
        const filter = (source: string): boolean => !notCopied.includes(relative(checkout, source));
        cpSync(checkout, copy, { recursive: true, filter });
        symlinkSync(join(checkout, "node_modules"), join(copy, "node_modules"));
    });

    after(async () => {
        await closeLab(environment);
        if (copy) rmSync(copy, { recursive: true, force: true });
    });

    /** @throws with all that it printed, when it fails */
    async function type(command: string): Promise<string> {
        const { stdout } = await promisify(execFile)("sh", ["-c", command], { cwd: copy, maxBuffer: 64 << 20 });
        return stdout;
    }

    /** The commands that the demo prints below a line. */
    function commandsBelow(line: string): readonly string[] {
        const [, commands = ""] = new RegExp(`^  ${line}.*:\\n((?:    .*\\n?)+)`, "m").exec(printed) ?? [];
        return commands.split("\n").flatMap((command) => command.trim() || []);
    }

    function assertMainJobDone(): void {
        for (const number of [1, 2, 3]) {
            assert.match(printed, new RegExp(`^  lab-etcd-${number}: hello from a cluster of one$`, "m"));
            assert.match(printed, new RegExp(`^\\| +https://10\\.77\\.9\\.1${number}:2379 \\|`, "m"));
        }
    }

    it("grows a cluster of one, with its data, to three on hosts of this machine", async () => {
        printed = await type("npm run demo");
        assertMainJobDone();
    });

    it("leaves hosts, a cluster and a file to go on with", async () => {
        const [up = ""] = commandsBelow("Add, remove or change hosts");
        await type(`${up} --yes --skip-preview --expect-no-changes`);
        const [, kill = ""] = commandsBelow("Log in, or break something");
        await type(kill);
        assert.equal((await attachLab(environment)).host("lab-etcd-2").state(), "down");
    });

    it("begins again where an earlier one was left, with its hosts gone", async () => {
        await closeLab(environment);
        printed = await type("npm run demo");
        assertMainJobDone();
    });

    it("says how to clean up, and nothing is left after that", async () => {
        for (const command of commandsBelow("Clean up")) await type(command);
        assert.deepEqual(environmentStates(environment), []);
    });
});
