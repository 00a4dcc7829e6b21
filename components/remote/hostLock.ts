import { connectionLost } from "./channels";
import { within } from "./deadline";
import { LockHeldError, RemoteError, said } from "./errors";
import { shellQuote } from "./quote";
import type { ScriptChannel, SshConnection } from "./ssh";

/** The host lets go when it has heard nothing for so long: a cut network closes nothing by itself. */
const SILENCE_SECONDS = 10;
/** We take the lock for lost before the host can have let go. */
const LOST_AFTER_MS = 7000;
const BEAT_MS = 2000;
/** For the answer of a host, besides the time to wait for another holder. */
const ANSWER_SECONDS = 15;
const LEFTOVER_SECONDS = 120;
/** Exit code of the lock's script when somebody else holds it, or has left work behind that goes on. */
const HELD = 75;

export interface HostLockOptions {
    readonly cluster: string;
    /** Who we are, for others to read: `user@machine, process 4711, stack tools`. */
    readonly holder: string;
    /** How long to wait for another holder. */
    readonly waitSeconds: number;
    /** Is told once who has it, when there is somebody to wait for, or that the work of a run that has ended is. */
    readonly onWait?: ((why: RemoteError) => void) | undefined;
    /** How long what a dead run began may still take, such as to stop etcd, before ours begins; 120 by default. */
    readonly leftoverSeconds?: number | undefined;
    /** How long the host may take to start a shell, and sudo in it; 15 by default. */
    readonly startSeconds?: number | undefined;
}

/** One cluster's lock on one host. */
export class HostLock {
    readonly #connection: SshConnection;
    readonly #channel: ScriptChannel;
    readonly #beat: NodeJS.Timeout;
    /** When the last beat was sent that the host has answered: it lets go so long after that at the earliest. */
    #answeredBeat = moment();
    readonly #openBeats: Moment[] = [];
    #isReleased = false;
    #lost: RemoteError | undefined;

    /** @throws LockHeldError; RemoteError step-unfinished, or as `SshConnection.open` */
    static async take(connection: SshConnection, options: HostLockOptions): Promise<HostLock> {
        const { host } = connection;
        const { waitSeconds, leftoverSeconds = LEFTOVER_SECONDS, startSeconds, onWait } = options;
        let why: RemoteError | undefined;
        let onLocked = (): void => {};
        let onLeftover = (): void => {};
        let onHeard = (): void => {};
        const locked = new Promise<void>((resolve) => (onLocked = resolve));
        const leftover = new Promise<void>((resolve) => (onLeftover = resolve));
        const onLine = (line: string): void => {
            if (line === "locked") return onLocked();
            if (line === "heard") return onHeard();
            const isLeftover = line === "leftover";
            why = isLeftover ? leftoverError(host) : heldError(host, options.cluster, line);
            if (isLeftover) onLeftover();
            if (isLeftover || waitSeconds > 0) onWait?.(why);
        };
        const script = lockScript(options, leftoverSeconds);
        const channel = await connection.open(script, eachLine(onLine), { startSeconds });
        const ended = channel.exited.then(({ code, stderr }) => {
            throw code === HELD && why !== undefined ? why : lockFailed(host, stderr, code);
        });
        try {
            const late = (): RemoteError => noAnswer(host);
            await within(waitSeconds + ANSWER_SECONDS, Promise.race([locked, leftover, ended]), late);
            await within(leftoverSeconds + ANSWER_SECONDS, Promise.race([locked, ended]), late);
        } catch (error) {
            channel.close();
            throw error;
        }
        const lock = new HostLock(connection, channel);
        onHeard = () => lock.#heard();
        return lock;
    }

    private constructor(connection: SshConnection, channel: ScriptChannel) {
        this.#connection = connection;
        this.#channel = channel;
        this.#beat = setInterval(() => this.#sendBeat(), BEAT_MS).unref();
        this.#sendBeat();
        void channel.exited.catch(() => {}).then(() => this.#ended());
    }

    /** @throws RemoteError lock-lost, if the host may have let go */
    assertHeld(): void {
        if (this.#lost === undefined && this.#isSilent()) this.#loseIt();
        if (this.#lost !== undefined) throw this.#lost;
    }

    /** Settles when the host has let go, or can't be reached any more: then it does so by itself. */
    async release(): Promise<void> {
        this.#isReleased = true;
        clearInterval(this.#beat);
        this.#channel.end();
        const ended = this.#channel.exited.then(() => {}).catch(() => {});
        await within(5, ended, () => connectionLost(this.#connection.host)).catch(() => this.#channel.close());
    }

    #sendBeat(): void {
        if (this.#isSilent()) return this.#loseIt();
        this.#openBeats.push(moment());
        void this.#channel.write("\n");
    }

    #heard(): void {
        this.#answeredBeat = this.#openBeats.shift() ?? this.#answeredBeat;
    }

    #isSilent(): boolean {
        return msSince(this.#answeredBeat) > LOST_AFTER_MS;
    }

    #ended(): void {
        if (!this.#isReleased) this.#loseIt();
    }

    #loseIt(): void {
        clearInterval(this.#beat);
        this.#lost ??= new RemoteError(
            "lock-lost",
            this.#connection.host,
            "the host was out of reach for so long that the cluster's lock there may be somebody else's by now; run again",
        );
        this.#channel.close();
    }
}

/**
 * A script that changes a cluster's host. It goes on when the process that sent it is gone, and whoever takes the cluster's lock next waits
 * for its end: what that one sees is not about to change.
 */
export function exclusiveScript(cluster: string, script: string): string {
    return `exec 8>>${shellQuote(lockFile(cluster, "script"))}\nflock 8\n${script}`;
}

/** `exec 9>>` keeps the holder's name that is there; only who has the lock writes its own. */
function lockScript({ cluster, holder, waitSeconds }: HostLockOptions, leftoverSeconds: number): string {
    return `file=${shellQuote(lockFile(cluster, "membership"))}
exec 9>>"$file" 8>>${shellQuote(lockFile(cluster, "script"))} || exit 1
held() { printf 'held %s\\n' "$(head -n 1 -- "$file")"; }
if ! flock -n 9; then
    held
    flock -w ${Math.ceil(waitSeconds)} 9 || { held; exit ${HELD}; }
fi
printf '%s %s\\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" ${shellQuote(holder.replace(/\s+/g, " "))} > "$file"
if ! flock -n 8; then
    echo leftover
    flock -w ${Math.ceil(leftoverSeconds)} 8 || exit ${HELD}
fi
exec 8>&-
echo locked
while timeout ${SILENCE_SECONDS} sh -c 'read -r beat' 9>&-; do echo heard; done
: > "$file"
`;
}

/** The directory is root's alone; another user could make a file in /run/lock that root may not open. */
function lockFile(cluster: string, of: "membership" | "script"): string {
    if (!/^[\w.-]+$/.test(cluster))
        throw new TypeError(`"${cluster}" is no name for a lock: letters, digits and ._- are`);
    return `/run/pulumi-etcd-${of}-${cluster}.lock`;
}

function heldError(host: string, cluster: string, line: string): LockHeldError {
    const [, since, holder] = /^held (\S+) (.*)$/.exec(line) ?? [];
    const who = holder === undefined ? "somebody who left no name" : `${holder}, since ${since}`;
    return new LockHeldError(
        host,
        holder,
        since,
        `the lock of cluster "${cluster}" is held by ${who}; wait until that run is done, or end it (its lock is free ${SILENCE_SECONDS} s later at the latest)`,
    );
}

function leftoverError(host: string): RemoteError {
    return new RemoteError(
        "step-unfinished",
        host,
        "a step that a run began before it was ended still goes on; once it is done, run again",
    );
}

function lockFailed(host: string, stderr: string, code: number | undefined): RemoteError {
    const exit = code === undefined ? "" : ` (exit code ${code})`;
    return new RemoteError(
        "command-failed",
        host,
        `the cluster's lock can't be taken${exit}${said(stderr)}; check that /run can be written and that flock (util-linux) is there`,
    );
}

function noAnswer(host: string): RemoteError {
    const reason =
        "the cluster's lock can't be taken: the host does not answer; check its load and disk, then run again";
    return new RemoteError("command-timeout", host, reason);
}

/** Cuts a stream of text into lines. */
function eachLine(onLine: (line: string) => void): (text: string) => void {
    let rest = "";
    return (text) => {
        const lines = (rest + text).split("\n");
        rest = lines.pop() ?? "";
        lines.forEach(onLine);
    };
}

interface Moment {
    readonly wallMs: number;
    readonly steadyMs: number;
}

function moment(): Moment {
    return { wallMs: Date.now(), steadyMs: performance.now() };
}

/** The one clock stands while this machine sleeps, the other one may be set back. */
function msSince({ wallMs, steadyMs }: Moment): number {
    return Math.max(Date.now() - wallMs, performance.now() - steadyMs);
}
