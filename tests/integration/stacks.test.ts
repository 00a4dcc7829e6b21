import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { parseDocument } from "yaml";

import { openLab, type Lab } from "../../lab";
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

describe("the committed stacks", () => {
    let project: Project;
    const labs = new Map<Stack, Lab>();

    before(async () => {
        for (const stack of stacks) {
            const isInUse = environmentStates(stack).length > 0;
            assert.ok(!isInUse, `environment "${stack}" is up: npm run lab -- down ${stack}, and run this test again`);
        }
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
