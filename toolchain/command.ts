import { spawn } from "node:child_process";
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { constants } from "node:os";
import { basename, dirname } from "node:path";

const shownLines = 25;

export interface CommandOptions {
    readonly directory: string;
    readonly environment?: NodeJS.ProcessEnv;
    /** Where the output goes, after what is there. Its last lines are part of the error when the command fails. */
    readonly log: string;
}

/** Runs a command to its end, quietly. It is stopped when this process is told to stop. */
export async function runLogged(command: string, args: readonly string[], options: CommandOptions): Promise<void> {
    await mkdir(dirname(options.log), { recursive: true });
    const log = openSync(options.log, "a");
    const { size } = fstatSync(log);
    try {
        const outcome = await run(command, args, options, log);
        const what = `${basename(command)} ${args[0] ?? ""} (${outcome})`;
        if (outcome !== 0) throw new Error(failure(what, options.log, size));
    } finally {
        closeSync(log);
    }
}

function run(command: string, args: readonly string[], options: CommandOptions, log: number): Promise<number | string> {
    return new Promise((resolve, reject) => {
        const child = spawn(command, args, {
            cwd: options.directory,
            env: options.environment ?? process.env,
            stdio: ["ignore", log, log],
        });
        const stop = (signal: NodeJS.Signals): void => {
            child.kill(signal);
            process.exit(128 + constants.signals[signal]);
        };
        process.on("SIGTERM", stop).on("SIGINT", stop);
        const forget = (): void => void process.off("SIGTERM", stop).off("SIGINT", stop);
        child.once("error", (error) => {
            forget();
            reject(error);
        });
        child.once("exit", (code, signal) => {
            forget();
            resolve(code ?? signal ?? "unknown");
        });
    });
}

/** @param start where this command's output begins */
function failure(what: string, log: string, start: number): string {
    const last = readFileSync(log).subarray(start).toString().trimEnd().split("\n").slice(-shownLines).join("\n");
    return `${what} failed; the whole log is ${log}, its end:\n${last}`;
}
