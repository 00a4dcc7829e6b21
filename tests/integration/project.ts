/** A user's Pulumi project in a directory of its own, run by the real engine. */
import { spawn, type ChildProcess } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { EtcdClusterArgs } from "../../components";
import type { MemberRow } from "../../components/membership/inputs";
import { resolveToolchain } from "../../toolchain";

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
}

export class Project {
    private constructor(
        readonly directory: string,
        private readonly pulumi: string,
        private readonly env: NodeJS.ProcessEnv,
    ) {}

    /** @param backend share a backend to have two projects work on one stack */
    static async open(options: { readonly stack?: string; readonly backend?: string } = {}): Promise<Project> {
        const { pulumi, env } = await resolveToolchain();
        const directory = mkdtempSync(join(tmpdir(), "pulumi-etcd-project-"));
        const backend = options.backend ?? join(directory, "backend");
        mkdirSync(backend, { recursive: true });
        const packages = join(directory, "node_modules");
        mkdirSync(packages);
        for (const name of readdirSync(join(checkout, "node_modules"))) {
            symlinkSync(join(checkout, "node_modules", name), join(packages, name));
        }
        symlinkSync(checkout, join(packages, "pulumi-etcd"));
        copyFileSync(join(__dirname, "program.ts"), join(directory, "index.ts"));
        writeFileSync(join(directory, "package.json"), `{ "name": "user-program", "main": "index.ts" }\n`);
        writeFileSync(
            join(directory, "tsconfig.json"),
            `{ "compilerOptions": { "target": "ES2022", "module": "CommonJS", "esModuleInterop": true }, "ts-node": { "swc": true } }\n`,
        );
        writeFileSync(join(directory, "Pulumi.yaml"), "name: user-program\nruntime: nodejs\nmain: index.ts\n");
        const project = new Project(directory, pulumi, { ...env, PULUMI_BACKEND_URL: `file://${backend}` });
        project.declare({});
        const stack = options.stack ?? "test";
        await project.mustRun(["stack", "select", "--create", stack]);
        return project;
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

    close(): void {
        rmSync(this.directory, { recursive: true, force: true });
    }

    start(command: readonly string[]): Running {
        const began = performance.now();
        const child = spawn(this.pulumi, [...command, "--non-interactive", "--color", "never"], {
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
        return { process: child, printed: () => text, finished, kill: () => killGroup(child.pid) };
    }
}

function killGroup(pid: number | undefined): void {
    if (pid === undefined) return;
    try {
        process.kill(-pid, "SIGKILL");
    } catch {
        // It has ended by itself.
    }
}

function succeeded(run: Run): Run {
    if (run.code !== 0) throw new Error(`pulumi exited with ${run.code}:\n${run.text}`);
    return run;
}
