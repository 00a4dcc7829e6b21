import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { resolveToolchain } from "../../toolchain";
import { nameOf, parseEvents, type Events } from "./events";

const repository = join(__dirname, "..", "..");

/** What one engine run printed and did. */
export interface Run extends Events {
    readonly code: number;
    readonly text: string;
}

export interface StateResource {
    readonly type: string;
    readonly urn: string;
    readonly id?: string;
    readonly inputs: Readonly<Record<string, unknown>>;
    readonly outputs: Readonly<Record<string, unknown>>;
}

type Flags = readonly string[];

/** A Pulumi project in a directory of its own that runs one of the programs beside this file, for real. */
export class Project {
    private runs = 0;

    private constructor(
        readonly directory: string,
        private readonly pulumi: string,
        private readonly env: NodeJS.ProcessEnv,
    ) {}

    static async open(program: string, environment: NodeJS.ProcessEnv = {}): Promise<Project> {
        const { pulumi, env } = await resolveToolchain();
        const directory = mkdtempSync(join(tmpdir(), "pulumi-etcd-plugins-"));
        const backend = join(directory, "backend");
        mkdirSync(backend);
        symlinkSync(join(repository, "node_modules"), join(directory, "node_modules"));
        writeFileSync(join(directory, "package.json"), "{}\n");
        writeFileSync(join(directory, "Pulumi.yaml"), "name: plugins\nruntime: nodejs\n");
        // With it, the engine translates the program as it does the package's own: fast, without checking types.
        symlinkSync(join(repository, "tsconfig.json"), join(directory, "tsconfig.json"));
        const module = JSON.stringify(join(__dirname, "programs", program));
        writeFileSync(join(directory, "index.js"), `module.exports = require(${module});\n`);
        const settings = { PULUMI_BACKEND_URL: `file://${backend}`, PULUMI_DEBUG_COMMANDS: "true", ...environment };
        const project = new Project(directory, pulumi, { ...env, ...settings });
        await project.mustRun(["stack", "init", "test"]);
        return project;
    }

    /** Brings the stack up to what the program makes of its arguments, which it finds as JSON in `PROGRAM`. */
    up(args: unknown, ...flags: Flags): Promise<Run> {
        return this.engine(["up", "--skip-preview", "--yes", ...flags], args);
    }

    preview(args: unknown, ...flags: Flags): Promise<Run> {
        return this.engine(["preview", ...flags], args);
    }

    refresh(): Promise<Run> {
        return this.engine(["refresh", "--skip-preview", "--yes"], {});
    }

    destroy(): Promise<Run> {
        return this.engine(["destroy", "--skip-preview", "--yes"], {});
    }

    /** Starts an `up` for a test that wants to interrupt it. */
    startUp(args: unknown): { readonly process: ChildProcess; readonly finished: Promise<Run> } {
        return this.startEngine(["up", "--skip-preview", "--yes"], args);
    }

    /** The stack's state as text, secrets encrypted unless asked for. */
    export(...flags: Flags): Promise<string> {
        return this.mustRun(["stack", "export", ...flags]);
    }

    /** The stack's resources by name, secrets in plain text. */
    async resources(): Promise<Readonly<Record<string, StateResource>>> {
        const { deployment } = JSON.parse(await this.export("--show-secrets")) as {
            deployment: { resources?: StateResource[] };
        };
        return Object.fromEntries((deployment.resources ?? []).map((resource) => [nameOf(resource.urn), resource]));
    }

    async outputs<T>(): Promise<T> {
        return JSON.parse(await this.mustRun(["stack", "output", "--json", "--show-secrets"])) as T;
    }

    async mustRun(command: Flags): Promise<string> {
        const { code, text } = await this.start(command, {}).finished;
        if (code !== 0) throw new Error(`pulumi ${command.join(" ")} exited with ${code}:\n${text}`);
        return text;
    }

    close(): void {
        rmSync(this.directory, { recursive: true, force: true });
    }

    private engine(command: Flags, args: unknown): Promise<Run> {
        return this.startEngine(command, args).finished;
    }

    private startEngine(command: Flags, args: unknown): { process: ChildProcess; finished: Promise<Run> } {
        const log = join(this.directory, `events-${++this.runs}`);
        const flags = ["--non-interactive", "--color", "never", "--event-log", log];
        const { process, finished } = this.start([...command, ...flags], { PROGRAM: JSON.stringify(args) });
        const events = (): Events => parseEvents(existsSync(log) ? readFileSync(log, "utf8") : "");
        return { process, finished: finished.then((run) => ({ ...run, ...events() })) };
    }

    private start(command: Flags, environment: NodeJS.ProcessEnv) {
        const process = spawn(this.pulumi, command, { cwd: this.directory, env: { ...this.env, ...environment } });
        const finished = new Promise<{ code: number; text: string }>((resolve, reject) => {
            let text = "";
            for (const stream of [process.stdout, process.stderr]) {
                stream.on("data", (data: Buffer) => (text += data.toString()));
            }
            process.once("error", reject);
            process.once("close", (code) => resolve({ code: code ?? -1, text }));
        });
        return { process, finished };
    }
}
