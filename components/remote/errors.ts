/** What went wrong on the way to a host or on it. */
export type RemoteErrorKind =
    /** No host key was given, and skipping the check was not asked for. */
    | "host-key-missing"
    /** A host key that was given can't be read. */
    | "host-key-invalid"
    /** The host showed another key than the given ones. */
    | "host-key-mismatch"
    /** No private key, password or agent was given. */
    | "no-credentials"
    /** The private key can't be read, or its passphrase is missing or wrong. */
    | "private-key-invalid"
    /** The host accepts none of the given credentials. */
    | "auth-failed"
    /** Nothing listens on the SSH port. */
    | "refused"
    /** No answer from the address within the time, no route to it, or its name has no address. */
    | "unreachable"
    /** Something answers, but SSH could not be set up with it. */
    | "handshake-failed"
    /** The connection was there and broke. */
    | "connection-lost"
    /** The host lets nobody open another session on the connection, or runs no shell for the user. */
    | "session-refused"
    /** The user can't become root: no sudo, no right to use it, or it wants a password and none is given. */
    | "sudo-refused"
    /** sudo does not accept the given password. */
    | "sudo-wrong-password"
    /** A script ended with another exit code than 0. */
    | "command-failed"
    /** A script did not end in its time. */
    | "command-timeout"
    /** The host's SSH server forwards no connections. */
    | "forward-refused"
    /** The host's SSH server forwards, but nothing listens on the address and port. */
    | "port-closed"
    /** A file did not arrive as it left, or the local file is not what was announced. */
    | "upload-failed"
    /** Somebody else holds the cluster's lock. */
    | "lock-held"
    /** What a run that was ended had begun on a host still goes on. */
    | "step-unfinished"
    /** A host was out of reach while we held the cluster's lock there: it may be somebody else's by now. */
    | "lock-lost"
    /** etcd answered with an error, or not in time. `EtcdError.code` says which. */
    | "etcd";

/** A failure of the effects layer. `message` is one sentence that says where, what, wanted against found, and what to do. */
export class RemoteError extends Error {
    override readonly name: string = "RemoteError";

    constructor(
        readonly kind: RemoteErrorKind,
        /** The host as an operator knows it: `root@10.0.0.1`. */
        readonly host: string,
        /** The message without the host. */
        readonly reason: string,
        options?: ErrorOptions,
    ) {
        super(`${host}: ${reason}`, options);
    }
}

/** A script ended with another exit code than 0. */
export class RemoteCommandError extends RemoteError {
    override readonly name = "RemoteCommandError";

    constructor(
        host: string,
        /** What the script was to do, as the caller put it. */
        readonly what: string,
        /** The exit code; 128 + n when signal n ended it. */
        readonly exitCode: number,
        readonly stderr: string,
        stdout = "",
    ) {
        super("command-failed", host, `${what}: failed with exit code ${exitCode}${said(stderr, stdout)}`);
    }
}

/** Somebody else holds the cluster's lock. */
export class LockHeldError extends RemoteError {
    override readonly name = "LockHeldError";

    constructor(
        host: string,
        /** Who holds it, as the holder named itself. `undefined` if it left no name. */
        readonly holder: string | undefined,
        /** Since when, as an ISO date. */
        readonly since: string | undefined,
        message: string,
    ) {
        super("lock-held", host, message);
    }
}

/** What etcd had against a call. */
export type EtcdErrorCode =
    /** `unhealthy cluster`: a voter changed less than 5 s ago, or one does not answer. */
    | "unhealthy-cluster"
    /** Too few of the voters have started for a change of voters. */
    | "not-enough-started"
    /** A member with that peer URL is in the list. */
    | "peer-url-exists"
    | "too-many-learners"
    /** The learner is not yet as far as the leader. */
    | "not-in-sync"
    /** The member is no learner (any more). */
    | "not-learner"
    /** The call is none that a learner answers. */
    | "learner-refuses"
    | "member-not-found"
    /** The member can't become the leader. */
    | "bad-transferee"
    | "not-leader"
    | "no-leader"
    | "no-space"
    | "corrupt"
    /** No answer in time: what was asked for may have happened. */
    | "timeout"
    /** No connection, or it broke: what was asked for may have happened. */
    | "unavailable"
    | "permission"
    /** Its users and roles are off. */
    | "no-users"
    | "other";

/** etcd refused a call, or did not answer it. */
export class EtcdError extends RemoteError {
    override readonly name = "EtcdError";

    constructor(
        readonly code: EtcdErrorCode,
        host: string,
        /** etcd's own words. */
        readonly detail: string,
        message: string,
        /** Why there was no way to etcd, if that was it. */
        readonly inTheWay?: RemoteErrorKind,
        options?: ErrorOptions,
    ) {
        super("etcd", host, message, options);
    }
}

/** Tells whether something thrown is an answer of etcd's, with that code if one is named. */
export function isEtcdError(error: unknown, code?: EtcdErrorCode): error is EtcdError {
    if (!isRemoteError(error, "etcd")) return false;
    return code === undefined || (error as EtcdError).code === code;
}

/**
 * Tells whether something thrown is a failure of this layer, of that kind if one is named.
 * It looks at the shape and not at the class, so that it also holds across two loaded copies of the package.
 */
export function isRemoteError(error: unknown, kind?: RemoteErrorKind): error is RemoteError {
    if (!(error instanceof Error)) return false;
    const { kind: found, host } = error as Partial<RemoteError>;
    if (typeof found !== "string" || typeof host !== "string") return false;
    return kind === undefined || found === kind;
}

/** The last lines that a command wrote, for an error's text: `: line; line`. Empty if it wrote none. */
export function said(stderr: string, stdout = ""): string {
    const lines = lastLines(stderr) || lastLines(stdout);
    return lines === "" ? "" : `: ${lines}`;
}

function lastLines(text: string): string {
    const lines = text.split("\n").map((line) => line.trim());
    return lines
        .filter((line) => line !== "")
        .slice(-4)
        .join("; ")
        .slice(-1000);
}
