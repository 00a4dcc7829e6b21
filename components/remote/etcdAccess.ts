/** Apart from the client: public types name these, and whoever installs the package has no types of ssh2. */

/** What a client needs to be let in by etcd, as PEM. */
export interface EtcdCredentials {
    readonly ca: string;
    readonly cert: string;
    readonly key: string;
}

export interface EtcdAccess extends EtcdCredentials {
    /** The address on which the member listens for clients, as its host sees it. */
    readonly address: string;
    readonly clientPort: number;
    /** A DNS name in the member's certificate. */
    readonly serverName: string;
    /** It is served without TLS: the certificates are not used. @default false */
    readonly isPlain?: boolean;
    /** For each call. @default 5 */
    readonly timeoutSeconds?: number | undefined;
}
