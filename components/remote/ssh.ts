import type { Duplex } from "node:stream";
import type { Client } from "ssh2";

import { connectionLost, openForward, openSession } from "./channels";
import { within } from "./deadline";
import { logIn, openSocket, prepareLogin, unreachable } from "./dial";
import { isRemoteError, RemoteCommandError, RemoteError } from "./errors";
import { execution, type Execution, type RunOptions, type RunResult } from "./execution";
import { endWhenSilent } from "./keepalive";
import { LastingPlaces } from "./lastingPlaces";
import { ProcessHold } from "./processHold";
import { frameScript, readerCommand, usesSudo } from "./script";
import { ScriptChannel } from "./scriptChannel";
import { Slots } from "./slots";
import { describeTarget, type SshTarget } from "./target";
import { feedFile, uploadFailure, uploadScript, type UploadOptions } from "./upload";

export type { RunOptions, RunResult } from "./execution";
export type { ScriptChannel, ScriptExit } from "./scriptChannel";
export type { UploadOptions } from "./upload";

/**
 * OpenSSH's server allows ten sessions on a connection (`MaxSessions`), and counts one that has just been closed until it has read
 * all that we sent: five that end and five that begin in one packet are ten. Forwarded connections don't count.
 * A script that stays, as a lock's does, is beside the others; those of further clusters get connections of their own.
 */
const RUNS = 4;
const LASTING = 1;
const LASTING_ON_FURTHER = 5;

/** For a session to be free: whoever has one ends within a limit of its own. The longest is that of an install, 900 s. */
const TURN_SECONDS = 1000;
/** For the host to start a script that stays. */
const START_SECONDS = 15;

/** A script that is started, or runs. It is ended when it takes too long. */
interface Attempt {
    channel?: ScriptChannel;
    isOver: boolean;
}

/**
 * An open SSH connection to one host. Several operations may run on it at once. While none does, it keeps no process alive.
 * All that it throws is a `RemoteError`.
 */
export class SshConnection {
    /** The host as an operator knows it, for messages: `root@10.0.0.1`. */
    readonly host: string;

    readonly #runs = new Slots(RUNS);
    readonly #lasting: LastingPlaces<SshConnection>;
    readonly #hold: ProcessHold;
    #isAlive = true;
    #sudoTookPassword = false;

    private constructor(
        readonly target: SshTarget,
        private readonly client: Client,
        private readonly stream: Duplex,
        /** The key that the host has shown, as it went over the wire. */
        readonly hostKey: Buffer,
        readonly bastion: SshConnection | undefined,
    ) {
        this.host = describeTarget(target);
        this.#hold = new ProcessHold(stream, bastion === undefined ? undefined : bastion.#hold);
        const further = (): Promise<SshConnection> => SshConnection.connect(target, bastion);
        this.#lasting = new LastingPlaces<SshConnection>(this, LASTING, further, LASTING_ON_FURTHER);
        const stopAsking = endWhenSilent(client, stream);
        client.on("error", () => {}); // What is under way on the connection fails by itself.
        client.once("close", () => {
            this.#isAlive = false;
            // Who asks again gets a connection that knows nothing of these, and would wait for what they hold.
            this.#lasting.close();
            stopAsking();
        });
    }

    /**
     * Connects and logs in. Callers want `pool.connect`, which shares connections.
     * @param bastion an open connection to `target.bastion`, if it has one
     * @throws RemoteError host-key-*, no-credentials, private-key-invalid, refused, unreachable, auth-failed, handshake-failed
     */
    static async connect(target: SshTarget, bastion?: SshConnection): Promise<SshConnection> {
        const login = prepareLogin(target);
        const timeoutSeconds = target.connectTimeoutSeconds ?? 15;
        const deadline = Date.now() + timeoutSeconds * 1000;
        const stream = await (bastion === undefined
            ? openSocket(target, timeoutSeconds)
            : bastion.#reach(target, timeoutSeconds));
        const { client, hostKey } = await logIn(login, stream, Math.max(0.001, (deadline - Date.now()) / 1000));
        return new SshConnection(target, client, stream, hostKey, bastion);
    }

    /** False once the connection is closed: by either side, or because the host fell silent. */
    get isAlive(): boolean {
        return this.#isAlive;
    }

    /**
     * Runs a POSIX sh script. Its text goes over stdin, so it may hold secrets. Commands speak English (`LC_ALL=C`).
     * An exit code other than 0 is no error here. What it leaves in the background must not hold its output open.
     * @throws RemoteError command-timeout, connection-lost, sudo-refused, sudo-wrong-password, session-refused
     */
    async run(script: string, options: RunOptions = {}): Promise<RunResult> {
        return this.#execute(execution("a command", script, options));
    }

    /**
     * Runs a script that has to end with exit code 0.
     * @param what what the script is to do, for the error: `create user etcd`
     * @returns its stdout
     * @throws RemoteCommandError for any other exit code; RemoteError as `run`
     */
    async runOrThrow(what: string, script: string, options: RunOptions = {}): Promise<string> {
        const { code, stdout, stderr } = await this.#execute(execution(what, script, options));
        if (code !== 0) throw new RemoteCommandError(this.host, what, code, stderr, stdout);
        return stdout;
    }

    /**
     * Puts a file on the host, as root: written beside its place, its SHA-256 checked there, synced, then renamed.
     * @throws RemoteError upload-failed; as `run`
     */
    async upload(localPath: string, remotePath: string, options: UploadOptions): Promise<void> {
        let sent: string | undefined;
        const result = await this.#execute({
            what: `upload of ${remotePath}`,
            script: uploadScript(remotePath, options),
            asRoot: true,
            timeoutSeconds: options.timeoutSeconds ?? 600,
            feed: async (channel) => {
                sent = await feedFile(this.host, channel, localPath, options.onProgress);
            },
        });
        if (result.code === 0) return;
        throw uploadFailure(this.host, localPath, remotePath, { wanted: options.sha256, sent }, result);
    }

    /**
     * Starts a script that stays: it gets its stdin bit by bit and has no time limit of its own. Any number of them may be open.
     * @param onStdout gets its stdout as it comes
     * @returns once the script's reader runs on the host. `exited` tells its end; whoever opened it ends it.
     * @throws RemoteError command-timeout when it does not run in time; as `connect`, and as `run`
     */
    async open(
        script: string,
        onStdout: (text: string) => void,
        options: { asRoot?: boolean; startSeconds?: number | undefined } = {},
    ): Promise<ScriptChannel> {
        const { asRoot = true, startSeconds = START_SECONDS } = options;
        const { connection, giveBack } = await this.#lasting.take();
        try {
            return await connection.#timely("a shell", startSeconds, async (attempt) => {
                const onChunk = (chunk: Buffer): void => onStdout(chunk.toString());
                const channel = await connection.#start(script, asRoot, undefined, onChunk, attempt);
                await channel.started;
                void channel.exited.catch(() => {}).then(giveBack);
                return channel;
            });
        } catch (error) {
            giveBack();
            throw error;
        }
    }

    /**
     * Opens a TCP connection that starts at the host. By itself it keeps no process alive.
     * @param address as the host sees it @default the address of the target
     * @throws RemoteError port-closed, forward-refused, connection-lost
     */
    async forward(port: number, address: string = this.target.address): Promise<Duplex> {
        if (!this.#isAlive) throw connectionLost(this.host);
        const release = this.#hold.take();
        try {
            return await openForward(this.client, this.host, address, port);
        } finally {
            release();
        }
    }

    /** Closes the connection, also under whatever still runs on it. */
    close(): void {
        this.#isAlive = false;
        this.#lasting.close();
        this.client.end();
        this.stream.destroy();
    }

    async #execute({ what, script, asRoot, timeoutSeconds, feed }: Execution): Promise<RunResult> {
        await this.#runs.take(TURN_SECONDS, () => this.#tooLate(`${what}, behind others`, TURN_SECONDS));
        try {
            return await this.#timely(what, timeoutSeconds, async (attempt) => {
                const stdout: Buffer[] = [];
                // The host's own limit is for the case that we can't end the script any more.
                const limit = timeoutSeconds + 1;
                const channel = await this.#start(script, asRoot, limit, (chunk) => stdout.push(chunk), attempt);
                await feed(channel);
                channel.end();
                const { code, stderr } = await channel.exited;
                return { code, stderr, stdout: Buffer.concat(stdout).toString() };
            });
        } finally {
            this.#runs.giveBack();
        }
    }

    async #timely<T>(what: string, seconds: number, work: (attempt: Attempt) => Promise<T>): Promise<T> {
        const attempt: Attempt = { isOver: false };
        try {
            return await within(seconds, work(attempt), () => this.#tooLate(what, seconds, attempt.channel?.obstacle));
        } catch (error) {
            attempt.isOver = true;
            attempt.channel?.close();
            throw error;
        }
    }

    async #start(
        script: string,
        asRoot: boolean,
        limitSeconds: number | undefined,
        onStdout: (chunk: Buffer) => void,
        attempt: Attempt,
    ): Promise<ScriptChannel> {
        if (!this.#isAlive) throw connectionLost(this.host);
        const release = this.#hold.take();
        try {
            const raw = await openSession(this.client, this.host, readerCommand(this.target, asRoot, limitSeconds));
            raw.once("close", release);
            const channel = new ScriptChannel(raw, this.target, asRoot, onStdout);
            attempt.channel = channel;
            if (attempt.isOver) channel.close();
            await this.#giveSudoPassword(channel, asRoot);
            void channel.write(frameScript(script));
            return channel;
        } catch (error) {
            release();
            // A request that is open when the connection breaks looks refused.
            const isBroken = !this.#isAlive && isRemoteError(error, "session-refused");
            throw isBroken ? connectionLost(this.host, error) : error;
        }
    }

    /** Until sudo has taken the password once, it is sent alone: else sudo would take what follows for further tries. */
    async #giveSudoPassword(channel: ScriptChannel, asRoot: boolean): Promise<void> {
        if (this.target.sudoPassword === undefined || !usesSudo(this.target, asRoot)) return;
        await channel.write(`${this.target.sudoPassword}\n`);
        if (this.#sudoTookPassword) return;
        await channel.started;
        this.#sudoTookPassword = true;
    }

    /** A stream to a host behind this one. */
    async #reach(target: SshTarget, timeoutSeconds: number): Promise<Duplex> {
        const stream = this.forward(target.port ?? 22, target.address);
        try {
            return await within(timeoutSeconds, stream, () => {
                stream.then((opened) => opened.destroy()).catch(() => {});
                return unreachable(target, `no answer through ${this.host} within ${timeoutSeconds} s`);
            });
        } catch (error) {
            if (!isRemoteError(error, "port-closed")) throw error;
            throw new RemoteError(
                "refused",
                describeTarget(target),
                `can't be reached through the bastion ${this.host}: ${error.reason}`,
            );
        }
    }

    #tooLate(what: string, timeoutSeconds: number, obstacle?: string): RemoteError {
        const remedy =
            obstacle === undefined
                ? "check the host's load and disk, then run again"
                : `${obstacle}; log in there to see what it waits for, and check the host's load and disk`;
        return new RemoteError(
            "command-timeout",
            this.host,
            `${what}: not done within ${timeoutSeconds} s and stopped; ${remedy}`,
        );
    }
}
