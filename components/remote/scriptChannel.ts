import { once } from "node:events";
import { constants } from "node:os";
import type { ClientChannel } from "ssh2";

import { connectionLost } from "./channels";
import { RemoteError, said } from "./errors";
import { STARTED, usesSudo } from "./script";
import { describeTarget, type SshTarget } from "./target";

/** How a script ended. */
export interface ScriptExit {
    /** The exit code; 128 + n when signal n ended it. */
    readonly code: number;
    readonly stderr: string;
}

/** A script that runs on a host, over a channel of its own. */
export class ScriptChannel {
    /** Settles when the script's reader runs; fails if it never does: sudo refuses, or the login shell does something else. */
    readonly started: Promise<void>;
    /** Settles when the script ended; fails if it never started, or if the connection broke. */
    readonly exited: Promise<ScriptExit>;

    readonly #host: string;
    readonly #out: AfterMark;
    readonly #err: AfterMark;
    #isOver = false;

    constructor(
        private readonly channel: ClientChannel,
        private readonly target: SshTarget,
        private readonly asRoot: boolean,
        onStdout: (chunk: Buffer) => void,
    ) {
        this.#host = describeTarget(target);
        const errChunks: Buffer[] = [];
        const out = (this.#out = new AfterMark(onStdout));
        const err = (this.#err = new AfterMark((chunk) => errChunks.push(chunk)));

        this.started = new Promise((resolve, reject) => {
            channel.on("data", (chunk: Buffer) => {
                out.push(chunk);
                if (out.found) resolve();
            });
            channel.stderr.on("data", (chunk: Buffer) => {
                err.push(chunk);
                // sudo would ask again and take what we send next for a password: no second try.
                if (!err.found && asksAgain(err.before)) {
                    reject(this.#notStarted(err.before, out.before, undefined));
                    this.close();
                }
            });
            channel.once("close", (...end: End) => {
                if (!out.found) reject(this.#notStarted(err.before, out.before, exitCode(...end)));
            });
        });
        this.exited = new Promise((resolve, reject) => {
            channel.once("close", (...end: End) => {
                this.#isOver = true;
                if (!out.found) return; // `started` tells.
                const code = exitCode(...end);
                if (code === undefined) return reject(connectionLost(this.#host));
                resolve({ code, stderr: Buffer.concat(errChunks).toString() });
            });
            this.started.catch(reject);
        });
        // Writing to a channel that has just been closed by the other side is told by `exited`.
        channel.on("error", () => {});
        this.exited.catch(() => {});
    }

    /** Gives the script something on stdin. Settles when there is room for more, or when the script has ended. */
    async write(data: string | Buffer): Promise<void> {
        if (this.#isOver || this.channel.write(data)) return;
        await Promise.race([once(this.channel, "drain"), this.exited.catch(() => {})]);
    }

    /** What keeps the script's reader from starting, as far as that is known; undefined once it runs. */
    get obstacle(): string | undefined {
        if (this.#out.found) return undefined;
        const who = usesSudo(this.target, this.asRoot) ? "the login's shell, or sudo," : "the login's shell";
        return `${who} did not begin it${said(this.#err.before, this.#out.before)}`;
    }

    /** The script has ended: it takes nothing any more. */
    get isOver(): boolean {
        return this.#isOver;
    }

    /** Ends the script's stdin. */
    end(data?: string | Buffer): void {
        if (data === undefined) this.channel.end();
        else this.channel.end(data);
    }

    /** Ends the script, as far as that is possible from here. */
    close(): void {
        this.channel.signal("TERM");
        this.channel.close();
    }

    #notStarted(stderr: string, stdout: string, code: number | undefined): RemoteError {
        if (code === undefined && !asksAgain(stderr)) return connectionLost(this.#host);
        if (usesSudo(this.target, this.asRoot)) {
            const refused = sudoRefusal(this.target, stderr);
            if (refused !== undefined) return refused;
        }
        return new RemoteError(
            "session-refused",
            this.#host,
            `the login did not run our command (exit code ${code})${said(stderr, stdout)}; ` +
                `the user needs a POSIX shell and no forced command`,
        );
    }
}

/** Hands on what comes after the reader's mark, and keeps what comes before. */
class AfterMark {
    found = false;
    #before = Buffer.alloc(0);

    constructor(private readonly onData: (chunk: Buffer) => void) {}

    get before(): string {
        return this.#before.toString();
    }

    push(chunk: Buffer): void {
        if (this.found) return this.onData(chunk);
        this.#before = Buffer.concat([this.#before, chunk]);
        const at = this.#before.indexOf(STARTED);
        if (at < 0) return;
        this.found = true;
        const rest = this.#before.subarray(at + STARTED.length);
        this.#before = this.#before.subarray(0, at);
        if (rest.length > 0) this.onData(rest);
    }
}

function asksAgain(stderr: string): boolean {
    return isExpired(stderr) || isWrongPassword(stderr);
}

/** It ends with "reset your password and try again", whatever password was given. */
function isExpired(stderr: string): boolean {
    return /(account|password) (or password )?(is |has )?expired/i.test(stderr);
}

function isWrongPassword(stderr: string): boolean {
    return /try again|incorrect password/i.test(stderr) && !isExpired(stderr);
}

function sudoRefusal(target: SshTarget, stderr: string): RemoteError | undefined {
    const host = describeTarget(target);
    if (isWrongPassword(stderr)) {
        return new RemoteError(
            "sudo-wrong-password",
            host,
            // It may be the right one, of an account that is locked after too many tries.
            `sudo does not accept sudoPassword; give the user's password${said(stderr)}`,
        );
    }
    const reason = sudoReason(stderr, target);
    if (reason === undefined) return undefined;
    return new RemoteError("sudo-refused", host, `can't become root: ${reason}${said(stderr)}`);
}

function sudoReason(stderr: string, target: SshTarget): string | undefined {
    if (/sudo.*(not found|no such file)/i.test(stderr)) {
        return "sudo is not installed; install it, or log in as root";
    }
    if (isExpired(stderr)) return "the user's password or account has expired; renew it on the host";
    if (/password is required|no password was provided|terminal is required/i.test(stderr)) {
        return target.sudoPassword === undefined
            ? `sudo wants a password; give sudoPassword, or allow "${target.user} ALL=(ALL) NOPASSWD: ALL"`
            : "sudo can't take the password from us";
    }
    if (/you must have a tty/i.test(stderr)) return `sudo wants a terminal; set "Defaults:${target.user} !requiretty"`;
    if (/not in the sudoers|not allowed|may not run/i.test(stderr)) {
        return `sudo does not allow it to the user; allow "${target.user} ALL=(ALL) ALL", with NOPASSWD or sudoPassword`;
    }
    return /^sudo:/m.test(stderr) ? "sudo fails" : undefined;
}

/**
 * How a channel ended: nothing if the connection broke. It comes with "close" as well as with "exit", which a command that ends at once
 * may have sent before anybody could listen.
 */
type End = [status?: number | null, signal?: string];

/** The exit code, or 128 + n for signal n. */
function exitCode(...[status, signal]: End): number | undefined {
    return status === null ? 128 + signalNumber(signal) : status;
}

function signalNumber(signal: string | undefined): number {
    const signals: Partial<Record<string, number>> = constants.signals;
    return (signal === undefined ? undefined : signals[signal]) ?? 127;
}
