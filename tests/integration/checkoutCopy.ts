import { execFile, spawn, type ChildProcess } from "node:child_process";
import {
    cpSync,
    existsSync,
    mkdtempSync,
    readdirSync,
    readFileSync,
    rmSync,
    symlinkSync,
    writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { promisify } from "node:util";

import { killSession } from "./project";

const checkout = join(__dirname, "..", "..");
const NOT_COPIED = ["node_modules", ".git", ".lab"];

/** A command under way. */
export interface Started {
    readonly process: ChildProcess;
    /** What it has printed so far. */
    readonly printed: () => string;
    /** Its exit code. */
    readonly ended: Promise<number | null>;
    /** Ends it and what it has started, at once. */
    readonly kill: () => void;
}

/** This checkout as somebody has it who has just cloned it, to type commands in. */
export class CheckoutCopy {
    private readonly directory = mkdtempSync(join(tmpdir(), "pulumi-etcd-copy-"));
    private readonly started: Started[] = [];

    constructor() {
        const filter = (source: string): boolean => !NOT_COPIED.includes(relative(checkout, source));
        cpSync(checkout, this.directory, { recursive: true, filter });
        symlinkSync(join(checkout, "node_modules"), join(this.directory, "node_modules"));
    }

    read(file: string): string {
        return readFileSync(join(this.directory, file), "utf8");
    }

    write(file: string, text: string): void {
        writeFileSync(join(this.directory, file), text);
    }

    /** @throws with all that it printed, when it fails */
    async type(command: string): Promise<string> {
        const { stdout } = await promisify(execFile)("sh", ["-c", command], {
            cwd: this.directory,
            maxBuffer: 64 << 20,
        });
        return stdout;
    }

    /** As `npm run` starts a program, in a session of its own. */
    start(program: string, ...args: readonly string[]): Started {
        const child = spawn(process.execPath, ["toolchain/bootstrap.js", program, ...args], {
            cwd: this.directory,
            stdio: ["ignore", "pipe", "pipe"],
            detached: true,
        });
        let text = "";
        for (const stream of [child.stdout, child.stderr])
            stream.setEncoding("utf8").on("data", (piece: string) => (text += piece));
        const ended = new Promise<number | null>((resolve, reject) => child.on("error", reject).on("exit", resolve));
        const started = {
            process: child,
            printed: () => text,
            ended,
            kill: () => killSession(child.pid, this.directory),
        };
        this.started.push(started);
        return started;
    }

    /** The locks that engines have on the stacks, by their files. */
    stackLocks(): readonly string[] {
        const locks = join(this.directory, ".lab", "state", ".pulumi", "locks");
        if (!existsSync(locks)) return [];
        return readdirSync(locks, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".json"));
    }

    /** Ends what a test that failed has left running, too. */
    remove(): void {
        for (const { kill } of this.started) kill();
        rmSync(this.directory, { recursive: true, force: true });
    }
}
