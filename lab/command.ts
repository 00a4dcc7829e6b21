import { spawn } from "node:child_process";
import { constants } from "node:os";

export interface CommandResult {
    readonly stdout: string;
    readonly stderr: string;
    /** Exit code; 128 + signal number when a signal ended the command. */
    readonly code: number;
}

export interface CommandOptions {
    readonly stdin?: string | Buffer;
    /** @default 60 */
    readonly timeoutSeconds?: number;
    readonly environment?: NodeJS.ProcessEnv;
    /** Called with each piece of output as it arrives, for long work that shows its progress. */
    readonly onOutput?: (text: string) => void;
}

/** Runs a program on this machine to its end. Throws only if it cannot be started or outlives its time. */
export function execute(
    program: string,
    args: readonly string[],
    options: CommandOptions = {},
): Promise<CommandResult> {
    const { stdin = "", timeoutSeconds = 60, environment = process.env, onOutput } = options;
    return new Promise((resolve, reject) => {
        const child = spawn(program, args, {
            stdio: ["pipe", "pipe", "pipe"],
            env: environment,
            detached: true,
        });
        let stdout = "";
        let stderr = "";
        const timer = setTimeout(() => {
            endGroup(child.pid);
            for (const stream of child.stdio) stream?.destroy();
            reject(new Error(`"${commandLine(program, args)}" did not end within ${timeoutSeconds} s\n${stderr}`));
        }, timeoutSeconds * 1000);
        child.stdout.setEncoding("utf8").on("data", (text: string) => {
            stdout += text;
            onOutput?.(text);
        });
        child.stderr.setEncoding("utf8").on("data", (text: string) => {
            stderr += text;
            onOutput?.(text);
        });
        // A command may end without reading all it was given; its exit code is what counts then.
        child.stdin.on("error", () => undefined);
        child.stdin.end(stdin);
        child.on("error", (error) => {
            clearTimeout(timer);
            reject(new Error(`"${program}" cannot be started: ${error.message}`));
        });
        child.on("close", (code, signal) => {
            clearTimeout(timer);
            resolve({ stdout, stderr, code: exitCode(code, signal) });
        });
    });
}

/** Like `execute`, but a non-zero exit is an error that quotes what the program said. Returns its standard output. */
export async function succeed(program: string, args: readonly string[], options?: CommandOptions): Promise<string> {
    const { stdout, stderr, code } = await execute(program, args, options);
    if (code !== 0) {
        throw new Error(`"${commandLine(program, args)}" failed with exit code ${code}: ${(stderr || stdout).trim()}`);
    }
    return stdout;
}

/** Gives this process's input and output to a program until it ends. Gives its exit code. */
export function foreground(
    program: string,
    args: readonly string[],
    environment: NodeJS.ProcessEnv = process.env,
): Promise<number> {
    return new Promise((resolve, reject) => {
        const child = spawn(program, args, { stdio: "inherit", env: environment });
        child.once("error", (error) => reject(new Error(`"${program}" cannot be started: ${error.message}`)));
        child.once("exit", (code, signal) => resolve(exitCode(code, signal)));
    });
}

function exitCode(code: number | null, signal: NodeJS.Signals | null): number {
    return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}

function commandLine(program: string, args: readonly string[]): string {
    const line = [program, ...args].join(" ");
    return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}

function endGroup(pid: number | undefined): void {
    if (pid === undefined) return;
    try {
        process.kill(-pid, "SIGKILL");
    } catch {
        // It ended by itself in the meantime.
    }
}
