import type { Client, ClientChannel } from "ssh2";

import { RemoteError } from "./errors";

/** RFC 4254, 5.1: SSH_OPEN_CONNECT_FAILED. Any other reason is a refusal of the server itself. */
const CONNECT_FAILED = 2;

type Done = (error: Error | undefined, channel: ClientChannel) => void;

/** Starts a command on a channel of its own. */
export async function openSession(client: Client, host: string, command: string): Promise<ClientChannel> {
    return ask(
        host,
        (done) => client.exec(command, done),
        (error) =>
            new RemoteError(
                "session-refused",
                host,
                `the SSH server opens no session for a command (${error.message}); ` +
                    `check MaxSessions in its configuration, and that the user may run commands`,
                { cause: error },
            ),
    );
}

/** Opens a TCP connection from the host. */
export async function openForward(client: Client, host: string, address: string, port: number): Promise<ClientChannel> {
    return ask(
        host,
        (done) => client.forwardOut("127.0.0.1", 0, address, port, done),
        (error) => forwardError(host, address, port, error),
    );
}

function forwardError(host: string, address: string, port: number, error: OpenError): RemoteError {
    if (error.reason === CONNECT_FAILED) {
        return new RemoteError(
            "port-closed",
            host,
            `can't connect from there to ${address} port ${port} (${error.message}); check that something listens there`,
            { cause: error },
        );
    }
    return new RemoteError(
        "forward-refused",
        host,
        `the SSH server forwards no connection to ${address} port ${port} (${error.message}); set AllowTcpForwarding to yes or local there, also for this user (Match), and have PermitOpen allow it where that is set`,
        { cause: error },
    );
}

/** The error for a connection that broke. */
export function connectionLost(host: string, cause?: Error): RemoteError {
    const because = cause === undefined ? "" : ` (${cause.message})`;
    return new RemoteError(
        "connection-lost",
        host,
        `the connection broke${because}; run again when the host can be reached`,
        cause === undefined ? {} : { cause },
    );
}

type OpenError = Error & { reason?: unknown };

async function ask(
    host: string,
    request: (done: Done) => void,
    refused: (error: OpenError) => RemoteError,
): Promise<ClientChannel> {
    return new Promise((resolve, reject) => {
        const fail = (error: OpenError): void => {
            const isRefusal = error.reason !== undefined || error.message === "Unable to exec";
            reject(isRefusal ? refused(error) : connectionLost(host, error));
        };
        try {
            request((error, channel) => (error ? fail(error) : resolve(channel)));
        } catch (error) {
            fail(error as Error);
        }
    });
}
