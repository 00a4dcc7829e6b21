/** A user's Pulumi project in a directory of its own, with the package as it is published, run by the real engine. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { transformFileSync, type Options } from "@swc/core";

import type { EtcdClusterArgs } from "../../components";
import type { MemberRow } from "../../components/membership/inputs";
import { buildPackage, resolveToolchain } from "../../toolchain";
import { readmePlugins } from "./readme";

const checkout = join(__dirname, "..", "..");

export interface Run {
    readonly code: number;
    /** All that the engine printed. */
    readonly text: string;
    readonly seconds: number;
}

/** What a cluster of the program shows, in plain text. */
export interface ClusterOutputs {
    readonly endpoints: readonly string[];
    readonly members: readonly MemberRow[];
    readonly clusterId: string;
    readonly initialClusterState: string;
    readonly ca: string;
    readonly operator: { readonly ca: string; readonly cert: string; readonly key: string };
    readonly clientCertificates: Readonly<
        Record<string, { readonly ca: string; readonly cert: string; readonly key: string }>
    >;
    readonly etcdctl: string;
}

export type Clusters = Readonly<Record<string, EtcdClusterArgs>>;

/** A run under way, for tests that interrupt it. */
export interface Running {
    readonly process: ChildProcess;
    /** What it has printed so far. */
    readonly printed: () => string;
    readonly finished: Promise<Run>;
    /** Ends the engine and all that it started, at once, as a power cut of the operator's machine would. */
    readonly kill: () => void;
    /** Ends the engine alone, with no warning: its plugins are left to themselves. */
    readonly killEngine: () => void;
    /** Ctrl-C: the engine alone hears it, since its plugins are in process groups of their own. */
    readonly interrupt: () => void;
    /** To the engine and all that it started. */
    readonly signal: (signal: NodeJS.Signals) => void;
    /** The command lines of what it has started and what still runs. */
    readonly left: () => readonly string[];
}

export class Project {
    private readonly started: Running[] = [];

    private constructor(
        readonly directory: string,
        private readonly pulumi: string,
        private readonly env: NodeJS.ProcessEnv,
        private readonly machine?: string,
    ) {}

    /**
     * @param options.backend share a backend to have two projects work on one stack
     * @param options.machine the name of a machine of its own, as far as its runs can see
     */
    static async open(
        options: { readonly stack?: string; readonly backend?: string; readonly machine?: string } = {},
    ): Promise<Project> {
        const { pulumi, env } = await resolveToolchain();
        const directory = mkdtempSync(join(tmpdir(), "pulumi-etcd-project-"));
        const backend = options.backend ?? join(directory, "backend");
        mkdirSync(backend, { recursive: true });
        const packages = join(directory, "node_modules");
        mkdirSync(packages);
        for (const name of readdirSync(join(checkout, "node_modules"))) {
            symlinkSync(join(checkout, "node_modules", name), join(packages, name));
        }
        symlinkSync(await buildPackage(), join(packages, "pulumi-etcd"));
        // JavaScript, which each run loads faster.
        writeFileSync(join(directory, "index.js"), transformFileSync(join(__dirname, "program.ts"), TRANSPILED).code);
        describeProgram(directory, "index.js");
        // Beside each file, the backend writes one of attributes in place: a killed engine may leave it empty, and no run can then read the stack.
        const url = `file://${backend}?metadata=skip`;
        const project = new Project(directory, pulumi, { ...env, PULUMI_BACKEND_URL: url }, options.machine);
        project.declare({});
        const stack = options.stack ?? "test";
        await project.mustRun(["stack", "select", "--create", stack]);
        return project;
    }

    /** Takes the place of the program. @param tsconfig the text of its `tsconfig.json` */
    useTypeScript(program: string, tsconfig: string): void {
        const { directory } = this;
        rmSync(join(directory, "index.js"), { force: true });
        writeFileSync(join(directory, "index.ts"), program);
        writeFileSync(join(directory, "tsconfig.json"), tsconfig);
        describeProgram(directory, "index.ts");
    }

    /** The program that is committed here, in a directory of its own, with its stack files as they are. */
    static async openCommitted(): Promise<Project> {
        const { pulumi, env } = await resolveToolchain();
        const directory = mkdtempSync(join(tmpdir(), "pulumi-etcd-checkout-"));
        const files = readdirSync(checkout).filter((name) => /^Pulumi\..*yaml$/.test(name));
        for (const name of [...files, "package.json", "tsconfig.json", "index.ts", "stacks", "components"])
            cpSync(join(checkout, name), join(directory, name), { recursive: true });
        symlinkSync(join(checkout, "node_modules"), join(directory, "node_modules"));
        mkdirSync(join(directory, "backend"));
        const url = `file://${join(directory, "backend")}?metadata=skip`;
        return new Project(directory, pulumi, { ...env, PULUMI_BACKEND_URL: url });
    }

    /** The same project in an environment that differs. */
    with(settings: NodeJS.ProcessEnv): Project {
        return new Project(this.directory, this.pulumi, { ...this.env, ...settings });
    }

    /** Writes what the program declares. */
    declare(clusters: Clusters): void {
        writeFileSync(join(this.directory, "clusters.json"), JSON.stringify(clusters));
    }

    up(clusters: Clusters, ...flags: readonly string[]): Promise<Run> {
        return this.startUp(clusters, ...flags).finished;
    }

    /** @throws when it fails, with all that the engine printed */
    async mustUp(clusters: Clusters, ...flags: readonly string[]): Promise<Run> {
        return succeeded(await this.up(clusters, ...flags));
    }

    startUp(clusters: Clusters, ...flags: readonly string[]): Running {
        this.declare(clusters);
        return this.start(["up", "--yes", "--skip-preview", ...flags]);
    }

    preview(clusters: Clusters, ...flags: readonly string[]): Promise<Run> {
        this.declare(clusters);
        return this.start(["preview", ...flags]).finished;
    }

    destroy(...flags: readonly string[]): Promise<Run> {
        return this.start(["destroy", "--yes", "--skip-preview", ...flags]).finished;
    }

    /** What a user does after a run that was killed: gives back the lock that it left on the stack. */
    async cancel(): Promise<void> {
        await this.mustRun(["cancel", "--yes"]);
    }

    /** Takes over another project's state, as a copy of its stack's file would. */
    async copyState(from: Project): Promise<void> {
        const file = join(this.directory, "state.json");
        await from.mustRun(["stack", "export", "--show-secrets", "--file", file]);
        await this.mustRun(["stack", "import", "--file", file]);
        rmSync(file);
    }

    async mustRun(command: readonly string[]): Promise<Run> {
        return succeeded(await this.start(command).finished);
    }

    async outputs(): Promise<Readonly<Record<string, ClusterOutputs>>> {
        const { text } = await this.mustRun(["stack", "output", "--json", "--show-secrets"]);
        return JSON.parse(text.slice(text.indexOf("{"))) as Record<string, ClusterOutputs>;
    }

    /** The stack's state as text, secrets encrypted. */
    async state(): Promise<string> {
        return (await this.mustRun(["stack", "export"])).text;
    }

    /** Ends what a test that failed has left running, too. */
    close(): void {
        for (const running of this.started) running.kill();
        rmSync(this.directory, { recursive: true, force: true });
    }

    start(command: readonly string[]): Running {
        const began = performance.now();
        const line = [this.pulumi, ...command, "--non-interactive", "--color", "never"];
        const elsewhere = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', this.machine ?? ""];
        const [program = "", ...words] = this.machine === undefined ? line : [...elsewhere, ...line];
        const child = spawn(program, words, {
            cwd: this.directory,
            env: this.env,
            stdio: ["ignore", "pipe", "pipe"],
            detached: true,
        });
        let text = "";
        for (const stream of [child.stdout, child.stderr]) {
            stream.setEncoding("utf8").on("data", (piece: string) => {
                text += piece;
            });
        }
        const finished = new Promise<Run>((resolve, reject) => {
            child.on("error", reject);
            child.on("close", (code) =>
                resolve({ code: code ?? 255, text, seconds: (performance.now() - began) / 1000 }),
            );
        });
        const running: Running = {
            process: child,
            printed: () => text,
            finished,
            kill: () => killSession(child.pid, this.directory),
            killEngine: () => child.kill("SIGKILL"),
            interrupt: () => child.kill("SIGINT"),
            signal: (name) => sessionOf(child.pid, this.directory).forEach((one) => signal(one.pid, name)),
            left: () => sessionOf(child.pid, this.directory).map(({ command }) => command),
        };
        this.started.push(running);
        return running;
    }
}

const TRANSPILED: Options = {
    jsc: { parser: { syntax: "typescript" }, target: "es2022" },
    module: { type: "commonjs" },
};

function describeProgram(directory: string, main: string): void {
    const runtime = `{ name: nodejs, options: { typescript: ${main.endsWith(".ts")} } }`;
    writeFileSync(
        join(directory, "Pulumi.yaml"),
        `name: user-program\nruntime: ${runtime}\nmain: ${main}\n${readmePlugins()}`,
    );
    writeFileSync(join(directory, "package.json"), `{ "name": "user-program", "main": "${main}" }\n`);
}

/** The engine's plugins are in process groups of their own, and in its session. */
export function killSession(leader: number | undefined, directory: string): void {
    for (let left = sessionOf(leader, directory); left.length > 0; left = sessionOf(leader, directory)) {
        for (const one of left) signal(one.pid, "SIGKILL");
    }
}

function signal(pid: number, name: NodeJS.Signals): void {
    try {
        process.kill(pid, name);
    } catch {
        // It has ended by itself.
    }
}

/** Its processes, without those that have ended and wait to be fetched. Long after, its number may be another session's. */
function sessionOf(
    leader: number | undefined,
    directory: string,
): readonly { readonly pid: number; readonly command: string }[] {
    if (leader === undefined) return [];
    const { stdout } = spawnSync("ps", ["--sid", String(leader), "-o", "pid=,stat=,args="], { encoding: "utf8" });
    return stdout.split("\n").flatMap((line) => {
        const [, pid, state = "", command = ""] = /^\s*(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
        const isOurs = pid !== undefined && !state.startsWith("Z") && worksIn(pid).startsWith(directory);
        return isOurs ? [{ pid: Number(pid), command }] : [];
    });
}

function worksIn(pid: string): string {
    try {
        return readlinkSync(`/proc/${pid}/cwd`);
    } catch {
        return "";
    }
}

function succeeded(run: Run): Run {
    if (run.code !== 0) throw new Error(`pulumi exited with ${run.code}:\n${run.text}`);
    return run;
}
