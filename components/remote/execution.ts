/** A script that runs once: what is asked of it, and what comes of it. */
import type { ScriptChannel } from "./scriptChannel";

export interface RunOptions {
    /** What the script finds on its stdin. @default nothing */
    readonly stdin?: string | Buffer | undefined;
    /** Counted from when the script may start. @default 60 */
    readonly timeoutSeconds?: number | undefined;
    /** @default true */
    readonly asRoot?: boolean | undefined;
}

export interface RunResult {
    readonly stdout: string;
    readonly stderr: string;
    /** The exit code; 128 + n when signal n ended the script. */
    readonly code: number;
}

export interface Execution {
    readonly what: string;
    readonly script: string;
    readonly asRoot: boolean;
    readonly timeoutSeconds: number;
    /** Gives the script its stdin. */
    readonly feed: (channel: ScriptChannel) => Promise<void>;
}

/** @param what what the script is to do, for errors */
export function execution(what: string, script: string, options: RunOptions): Execution {
    const { stdin, timeoutSeconds = 60, asRoot = true } = options;
    return { what, script, asRoot, timeoutSeconds, feed: async (channel) => channel.end(stdin) };
}
