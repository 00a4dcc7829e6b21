/** Names the socket of the agent of whoever is logged in. */
export const AGENT_VARIABLE = "SSH_AUTH_SOCK";
/** Stands for that socket, whichever it is when it is used. */
export const SESSION_AGENT = `$${AGENT_VARIABLE}`;

/** Where and how to reach a host over SSH. */
export interface SshTarget {
    /** Host name or IP address. */
    readonly address: string;
    /** @default 22 */
    readonly port?: number | undefined;
    readonly user: string;
    /** Text of a private key: ed25519, ECDSA or RSA, in OpenSSH's or the older PEM format. */
    readonly privateKey?: string | undefined;
    /** Passphrase of `privateKey`. */
    readonly passphrase?: string | undefined;
    /** The user's password, also used to answer a server that only asks interactively. */
    readonly password?: string | undefined;
    /** Path of an agent's socket, for keys that never leave the agent; or `SESSION_AGENT`. */
    readonly agentSocket?: string | undefined;
    /** The host's public keys, as `known_hosts` has them: `ssh-ed25519 AAAA…`. One of them has to match. */
    readonly hostKeys?: readonly string[] | undefined;
    /**
     * Trusts whatever answers at the address. Anybody in between can then read and change all that is sent.
     * @default false
     */
    readonly insecureSkipHostKeyCheck?: boolean | undefined;
    /** Become root through sudo. @default true, unless `user` is root */
    readonly sudo?: boolean | undefined;
    /** Password for sudo. Without one, sudo must ask for none (`NOPASSWD`). */
    readonly sudoPassword?: string | undefined;
    /** A host to go through. Its host key is checked as well. */
    readonly bastion?: SshTarget | undefined;
    /** For all from the first packet to the login. @default 15 */
    readonly connectTimeoutSeconds?: number | undefined;
}

/** The target as an operator knows it: `root@10.0.0.1`, with `:port` unless it is 22. */
export function describeTarget(target: SshTarget): string {
    const port = target.port ?? 22;
    return `${target.user}@${target.address}${port === 22 ? "" : `:${port}`}`;
}
