import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

export const checkout = join(__dirname, "..", "..");

const deadlineSeconds = 60;

export interface Ended {
    readonly code: number | null;
    readonly signal: NodeJS.Signals | null;
    readonly stdout: string;
    readonly stderr: string;
}

export interface Started {
    readonly child: ChildProcess;
    readonly ended: Promise<Ended>;
    /** What it has written to stderr so far. */
    readonly stderr: () => string;
    readonly stdout: () => string;
}

/**
 * Starts a program of the fixtures folder as the toolchain starts programs.
 *
 * @param by a command that runs the one that follows it
 */
export function startFixture(
    name: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv,
    by: readonly string[] = [],
): Started {
    const register = join(checkout, "toolchain", "register.js");
    const program = [process.execPath, "--require", register, join(__dirname, "fixtures", name), ...args];
    const [command = "", ...rest] = [...by, ...program];
    return start(command, rest, env);
}

export function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv, cwd = checkout): Started {
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const ended = new Promise<Ended>((resolve, reject) => {
        child.once("error", reject);
        child.once("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
    });
    return { child, ended, stderr: () => stderr, stdout: () => stdout };
}

export function temporaryDirectory(): string {
    return mkdtempSync(join(tmpdir(), "pulumi-etcd-test-"));
}

/** Waits for a condition; fails when it does not come true in time. */
export async function until(what: string, isTrue: () => boolean): Promise<void> {
    const deadline = Date.now() + deadlineSeconds * 1000;
    while (!isTrue()) {
        if (Date.now() > deadline) throw new Error(`${what}: not within ${deadlineSeconds} s`);
        await pause(5);
    }
}
