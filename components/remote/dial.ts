import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Client, type AnyAuthMethod, type AuthenticationType, type AuthHandlerMiddleware } from "ssh2";

import { credentials, type Credential } from "./credentials";
import { within } from "./deadline";
import { RemoteError } from "./errors";
import { hostKeyAlgorithms, hostKeyMismatch, trustedHostKeys, type HostKey } from "./hostKeys";
import { describeTarget, type SshTarget } from "./target";

/** A TCP connection to the target's SSH port. */
export async function openSocket(target: SshTarget, timeoutSeconds: number): Promise<Socket> {
    const port = target.port ?? 22;
    const socket = connect({ host: target.address, port, noDelay: true });
    try {
        const connected = new Promise<Socket>((resolve, reject) => {
            socket.once("connect", () => resolve(socket)).once("error", reject);
        });
        return await within(timeoutSeconds, connected, () =>
            unreachable(target, `no answer within ${timeoutSeconds} s`),
        );
    } catch (error) {
        socket.destroy();
        if (error instanceof RemoteError) throw error;
        throw socketError(target, error as NodeJS.ErrnoException);
    }
}

/** What a login needs, checked before anything is sent. */
export interface Login {
    readonly target: SshTarget;
    readonly trusted: readonly HostKey[];
    readonly attempts: readonly Credential[];
}

export interface LoggedIn {
    readonly client: Client;
    /** What the host has shown, as it went over the wire. */
    readonly hostKey: Buffer;
}

/** @throws RemoteError host-key-missing, host-key-invalid, no-credentials, private-key-invalid */
export function prepareLogin(target: SshTarget): Login {
    return { target, trusted: trustedHostKeys(target), attempts: credentials(target) };
}

/**
 * Logs in over an open stream. The host's key is checked before anything secret leaves.
 * @throws RemoteError host-key-mismatch, auth-failed, handshake-failed, unreachable
 */
export async function logIn(
    { target, trusted, attempts }: Login,
    stream: Duplex,
    timeoutSeconds: number,
): Promise<LoggedIn> {
    const client = new Client();
    const host = describeTarget(target);
    let accepted: readonly AuthenticationType[] = [];
    let mismatch: RemoteError | undefined;
    let hostKey = Buffer.alloc(0);

    const ready = new Promise<Client>((resolve, reject) => {
        client.once("ready", () => resolve(client));
        client.on("error", (error) => {
            // A missing agent or a key it won't sign with is no end: the next credential is tried.
            if (error.level !== "agent") reject(mismatch ?? loginError(host, error, attempts, accepted));
        });
        client.once("close", () => reject(mismatch ?? brokenOff(host)));
        client.connect({
            sock: stream,
            username: target.user,
            readyTimeout: 0,
            algorithms: { serverHostKey: hostKeyAlgorithms(trusted) },
            hostVerifier: (shown: Buffer): boolean => {
                hostKey = Buffer.from(shown);
                if (target.insecureSkipHostKeyCheck === true || isTrusted(trusted, shown)) return true;
                mismatch = hostKeyMismatch(target, trusted, shown);
                return false;
            },
            authHandler: tryEach(
                attempts.map((attempt) => attempt.method),
                (methods) => {
                    accepted = methods;
                },
            ),
        });
    });

    try {
        await within(timeoutSeconds, ready, () =>
            unreachable(
                target,
                `its SSH server did not let us in within ${Math.ceil(timeoutSeconds)} s of the connection`,
            ),
        );
        return { client, hostKey };
    } catch (error) {
        client.destroy();
        stream.destroy();
        throw error;
    }
}

function isTrusted(trusted: readonly HostKey[], shown: Buffer): boolean {
    return trusted.some((key) => key.blob.equals(shown));
}

/** Offers one method after the other, leaving out those that the server has said it won't take: each costs one of its few tries. */
function tryEach(
    methods: readonly AnyAuthMethod[],
    onAccepted: (methods: readonly AuthenticationType[]) => void,
): AuthHandlerMiddleware {
    let queue = [...methods];
    let last: AnyAuthMethod | undefined;
    const nextMethod = (left: AuthenticationType[] | null, isPartial: boolean | null): AnyAuthMethod | false => {
        if (left !== null) onAccepted(left);
        // One was taken, and the server wants another besides: perhaps one that it did not take before that.
        if (isPartial) queue = methods.filter((method) => method !== last);
        for (last = queue.shift(); last !== undefined; last = queue.shift()) {
            const name = last.type === "agent" ? "publickey" : last.type;
            if (left === null || left.includes(name)) return last;
        }
        return false;
    };
    // ssh2 takes what the handler returns, which its type declarations don't know.
    return nextMethod;
}

function socketError(target: SshTarget, error: NodeJS.ErrnoException): RemoteError {
    const port = target.port ?? 22;
    const host = describeTarget(target);
    if (error.code === "ECONNREFUSED") {
        return new RemoteError(
            "refused",
            host,
            `nothing listens on port ${port}; check that the SSH server runs there and that the port is right`,
            { cause: error },
        );
    }
    if (error.code === "ENOTFOUND" || error.code === "EAI_AGAIN") {
        return unreachable(target, "the name has no address");
    }
    return unreachable(target, error.message || (error.code ?? "no connection"));
}

/** The error for a host that can't be got at. */
export function unreachable(target: SshTarget, found: string): RemoteError {
    return new RemoteError(
        "unreachable",
        describeTarget(target),
        `can't be reached: ${found}; check that the host is up, its address (${target.address}, port ${target.port ?? 22}) and the network in between`,
    );
}

function loginError(
    host: string,
    error: Error & { level?: string },
    attempts: readonly Credential[],
    accepted: readonly string[],
): RemoteError {
    // sshd's words when it ends a login before all that there is was offered.
    const isCutShort = /authentication failures/i.test(error.message);
    if (error.level === "client-authentication" || isCutShort) {
        const tried = attempts.map((attempt) => attempt.label).join(", ");
        const ended = isCutShort
            ? "; the server ended it after too many tries (MaxAuthTries), of which each key of an agent is one: give privateKey, or an agent with that key alone"
            : "";
        const takes = accepted.length === 0 ? "" : `; the server takes ${accepted.join(", ")}`;
        return new RemoteError(
            "auth-failed",
            host,
            `the login was refused (tried: ${tried}${takes})${ended}; check the user, and that its credentials are known to the host`,
            { cause: error },
        );
    }
    return new RemoteError(
        "handshake-failed",
        host,
        `SSH could not be set up: ${error.message}; check that an SSH server answers on that port`,
        { cause: error },
    );
}

function brokenOff(host: string): RemoteError {
    return new RemoteError(
        "handshake-failed",
        host,
        "the connection was closed before the login was done; check the SSH server's log on the host",
    );
}
