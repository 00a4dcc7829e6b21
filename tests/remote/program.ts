import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

import { until } from "./until";

/** A process of its own that runs one of this folder's programs. */
export class Program {
    #output = "";
    readonly exited: Promise<number | null>;

    constructor(file: string, input: unknown) {
        const register = join(__dirname, "..", "..", "toolchain", "register.js");
        this.child = spawn(process.execPath, ["--require", register, join(__dirname, file)], {
            stdio: ["pipe", "pipe", "inherit"],
        });
        this.child.stdout.setEncoding("utf8").on("data", (text: string) => (this.#output += text));
        this.child.stdin.end(JSON.stringify(input));
        this.exited = once(this.child, "close").then(([code]) => code as number | null);
    }

    readonly child;

    get output(): string {
        return this.#output;
    }

    /** Waits until it has written that line. */
    async says(line: string, seconds = 30): Promise<void> {
        await until(`the program says "${line}"; it says "${this.#output}"`, seconds, () =>
            this.#output.split("\n").includes(line),
        );
    }

    async end(signal: NodeJS.Signals): Promise<void> {
        this.child.kill(signal);
        await this.exited;
    }
}

/** What a program of this folder was started with. */
export async function programInput<T>(): Promise<T> {
    let text = "";
    for await (const piece of process.stdin.setEncoding("utf8") as AsyncIterable<string>) text += piece;
    return JSON.parse(text) as T;
}
