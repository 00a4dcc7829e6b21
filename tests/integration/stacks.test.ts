import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { parseDocument } from "yaml";

import { attachLab, closeLab, openLab, type Lab } from "../../lab";
import { environmentStates } from "../../lab/lab";
import { layOutRelease, releaseArchive } from "../../lab/release";
import { readStackFile } from "../../lab/stackFile";
import { lockFile } from "../../lab/state";
import { withLock } from "../../toolchain/lock";
import { until } from "../remote/until";
import { CheckoutCopy, type Started } from "./checkoutCopy";
import { diagnoseFailures } from "./diagnose";
import { etcdctl, startTimes, voters } from "./fixture";
import { Project, type ClusterOutputs } from "./project";

const stacks = ["lab", "tools", "toolsbeta"] as const;
type Stack = (typeof stacks)[number];

const HOSTS = ["config", "pulumi-etcd:hosts"];
/** The hosts that somebody may write into a stack's file: those that it has, and some more. */
const MOST = { lab: 3, tools: 5, toolsbeta: 3 } as const;
/** Not those of the files: somebody may work on hosts that have them. */
const NETWORKS = { lab: "10.77.109", tools: "10.77.101", toolsbeta: "10.77.102" } as const;

function inOtherNetworks(stackFile: string): string {
    return stackFile.replace(/\b10\.77\.(\d+)\./g, (_, network) => `10.77.${100 + Number(network)}.`);
}

describe("the committed stacks", () => {
    let project: Project;
    const labs = new Map<Stack, Lab>();

    before(async () => {
        await Promise.all(stacks.map((stack) => closeLab(environmentOf(stack))));
        project = await Project.openCommitted();
        await layOutRelease(project.directory, await releaseArchive("3.6"));
        for (const stack of stacks) {
            writeFileSync(stackFile(stack), inOtherNetworks(readFileSync(stackFile(stack), "utf8")));
            const { hosts, ...spec } = readStackFile(environmentOf(stack), stackFile(stack));
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

    function environmentOf(stack: Stack): string {
        return `stacks-${stack}`;
    }

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
    const environment = "stacks-demo";
    const network = "10.77.119";
    const cluster = "lab-etcd";
    const config = ".lab/Pulumi.lab.yaml";
    let copy: CheckoutCopy;
    let printed: string;

    before(async () => {
        await closeLab(environment);
        copy = new CheckoutCopy();
    });

    after(async () => {
        copy?.remove();
        await closeLab(environment);
    });

    /** The commands that the demo prints below a line. */
    function commandsBelow(line: string): readonly string[] {
        const [, commands = ""] = new RegExp(`^  ${line}.*:\\n((?:    .*\\n?)+)`, "m").exec(printed) ?? [];
        return commands.split("\n").flatMap((command) => command.trim() || []);
    }

    async function run(): Promise<void> {
        printed = await copy.type(`npm run demo -- ${environment} ${network}`);
        for (const number of [1, 2, 3]) {
            assert.match(printed, new RegExp(`^  ${cluster}-${number}: hello from a cluster of one$`, "m"));
            assert.match(printed, new RegExp(`^\\| +https://${network}.1${number}:2379 \\|`, "m"));
        }
    }

    function start(): Started {
        return copy.start("lab/demo.ts", environment, network);
    }

    /** Until its first `up` has taken the stack's lock. */
    async function hasBegun({ printed: text }: Started): Promise<void> {
        const isUp = (): boolean => text().includes("== One host is declared") && copy.stackLocks().length > 0;
        await until(`the first up of the demo, which printed ${text()}`, 300, isUp);
    }

    const mistakes = [
        ["an environment without a valid name", "Demo", /^error: environment "Demo" is no valid name: .*$/m],
        ["a network that is none", `${environment} 10.77`, /^error: network "10\.77" is none: .*$/m],
        ["more than that", `${environment} ${network} 3`, /^error: "3" is too much: npm run demo -- .*$/m],
    ] as const;
    for (const [what, words, message] of mistakes) {
        it(`refuses ${what}`, async () => {
            await assert.rejects(copy.type(`npm run demo -- ${words}`), message);
            assert.deepEqual(environmentStates(environment), []);
        });
    }

    it("waits for another one with the same hosts", async () => {
        await withLock(lockFile(`${environment}.demo`), "is tested", async () => {
            const demo = start();
            const wait = `waiting for process ${process.pid}, which is tested`;
            await until(wait, 60, () => demo.printed().includes(wait));
            demo.kill();
        });
    });

    it("grows a cluster of one, with its data, to three on hosts of this machine", run);

    it("leaves hosts, a cluster and a file to go on with", async () => {
        const [makeHosts = "", up = ""] = commandsBelow("Add, remove or change hosts");
        await copy.type(`${up} --yes --skip-preview --expect-no-changes`);
        const hosts = [1, 2, 3, 4, 5].map((one) => ({ name: `${cluster}-${one}`, address: `${network}.1${one}` }));
        const file = parseDocument(copy.read(config));
        file.setIn(HOSTS, file.createNode(hosts));
        copy.write(config, file.toString());
        await copy.type(makeHosts);
        await copy.type(`${up} --yes --skip-preview`);
        const lab = await attachLab(environment);
        const names = hosts.map(({ name }) => name);
        assert.deepEqual(await voters(lab.host(`${cluster}-5`), cluster), names);
        const [, kill = ""] = commandsBelow("Log in, or break something");
        await copy.type(kill);
        assert.equal(lab.host(`${cluster}-2`).state(), "down");
    });

    it("does not take its stack from hosts that are up", async () => {
        await assert.rejects(
            copy.type("npm run demo -- stacks-other 10.77.120"),
            new RegExp(`^error: stack "lab" of this checkout has the hosts of lab "${environment}": .*$`, "m"),
        );
        assert.deepEqual(environmentStates("stacks-other"), []);
    });

    it("begins again where the hosts of an earlier one are gone, and on Ctrl-C ends after its engine", async () => {
        await closeLab(environment);
        const demo = start();
        await hasBegun(demo);
        demo.process.kill("SIGINT");
        assert.equal(await demo.ended, 1, demo.printed());
        assert.match(demo.printed(), /^error: pulumi up .* ended with exit code \d+$/m);
        assert.deepEqual(copy.stackLocks(), []);
    });

    it("begins again where an earlier one was killed", async () => {
        const demo = start();
        await hasBegun(demo);
        demo.kill();
        await demo.ended;
        assert.equal(copy.stackLocks().length, 1);
        await run();
    });

    it("says how to clean up, and nothing is left after that", async () => {
        for (const command of commandsBelow("Clean up")) await copy.type(command);
        assert.deepEqual(environmentStates(environment), []);
    });
});

describe("the commands that README.md has to play on with", () => {
    const stack = "stacks-play";
    const network = "10.77.129";
    let copy: CheckoutCopy;

    before(async () => {
        await closeLab(stack);
        copy = new CheckoutCopy();
        const file = copy.read("Pulumi.tools.yaml").replaceAll("10.77.1.", `${network}.`);
        copy.write(`Pulumi.${stack}.yaml`, file.replaceAll(".lab/tools/", `.lab/${stack}/`));
        copy.write("index.ts", copy.read("index.ts").replace("{ lab, tools,", `{ lab, "${stack}": tools,`));
    });

    after(async () => {
        copy?.remove();
        await closeLab(stack);
    });

    /** For this stack in the place of tools and of all, and with nobody who is asked. */
    function commands(): readonly string[] {
        const [, block = ""] = /^Play on:\n\n```sh\n([^]*?)\n```$/m.exec(copy.read("README.md")) ?? [];
        return block.split("\n").map((line) =>
            line
                .replace(/ +#.*/, "")
                .replace(/ (tools|--all)$/, ` ${stack}`)
                .replace(/ up$/, " up --yes"),
        );
    }

    for (const time of ["first", "second"]) {
        it(`do so when they are typed for the ${time} time`, async () => {
            const committed = copy.read(`Pulumi.${stack}.yaml`);
            const [makeHosts = "", select = "", up = "", ...rest] = commands();
            for (const command of [makeHosts, select, up]) await copy.type(command);
            const { members } = JSON.parse(
                await copy.type("npm run --silent pulumi -- stack output --json"),
            ) as ClusterOutputs;
            assert.equal(members.length, 3);
            assert.equal(rest.length, 3);
            for (const command of rest) await copy.type(command);
            assert.deepEqual(environmentStates(stack), []);
            assert.equal(copy.read(`Pulumi.${stack}.yaml`), committed);
        });
    }
});
