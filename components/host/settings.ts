import type { EtcdTuning, LogLevel } from "../args";
import type { BackupSettings } from "./backup";
import type { HostPaths } from "./paths";

/** All that decides what one member's host is given, besides certificates. Plain values, validated before. */
export interface HostSettings {
    /** The cluster's name: it is in every path and unit name. */
    readonly cluster: string;
    readonly clusterToken: string;
    readonly version: string;
    /** The member's name. */
    readonly name: string;
    /** The member's IP address, without brackets. */
    readonly address: string;
    readonly clientPort: number;
    readonly peerPort: number;
    readonly paths: HostPaths;
    /** The directory that holds the binaries `etcd` and `etcdctl` of this version. */
    readonly releaseDir: string;
    readonly logLevel: LogLevel;
    readonly tuning: EtcdTuning;
    readonly maxLearners: number;
    /** Manage a firewall table. */
    readonly firewall: boolean;
    /** Addresses and networks that are let in to the client port, besides the members'. */
    readonly clientAddresses: readonly string[];
    /** The addresses of all declared hosts. */
    readonly peers?: readonly string[];
    /** How the member is backed up. It is no part of a generation. @default undefined: it is not */
    readonly backup?: BackupSettings;
    /** A cluster that others built is being taken over: members keep the certificates that they have. @default false */
    readonly isTakingOver?: boolean;
    /** What is taken over has no TLS: its client port goes on serving http as well. @default false */
    readonly isPlain?: boolean;
    /** The numbers of the authorities that it trusts. @default [1] */
    readonly authorities?: readonly number[];
}

/** PEM texts for one host. The keys are secrets. */
export interface HostCertificates {
    /** Whom the client port trusts: one or more certificates. */
    readonly clientCa: string;
    /** Whom the peer port trusts: one or more certificates. */
    readonly peerCa: string;
    readonly serverCert: string;
    readonly serverKey: string;
    readonly peerCert: string;
    readonly peerKey: string;
}

/** The first line of every file that is ours. A file without it belongs to somebody else. */
export const HEADER = "# Managed by pulumi-etcd: changes made by hand are lost.";

/** The user and group that etcd runs as. */
export const ETCD_USER = "etcd";

/** `https://10.0.0.1:2380`, with brackets around an IPv6 address. */
export function httpsUrl(address: string, port: number): string {
    return `https://${address.includes(":") ? `[${address}]` : address}:${port}`;
}

/** The same place without TLS. */
export function withoutTls(url: string): string {
    return url.startsWith("https:") ? `http:${url.slice("https:".length)}` : url;
}

/**
 * The common name of every peer certificate of a cluster. It is the same for all members, so that a member that joins changes nothing on the others.
 */
export function peerCommonName(cluster: string): string {
    return `${cluster}-peer`;
}

/** The authorities of a cluster that declares none. */
export const FIRST_AUTHORITY: readonly number[] = [1];

/** As many may be declared: the one that was, the one that is to be, and one that an unfinished rotation has left. */
export const MOST_AUTHORITIES = 3;

/** The common name of an authority. */
export function authorityName(cluster: string, kind: "client" | "peer", number: number): string {
    const name = `${cluster} ${kind} CA`;
    return number === 1 ? name : `${name} ${number}`;
}

/** The number of the cluster's authority that has this common name; undefined if none has it. */
export function authorityNumber(cluster: string, name: string): number | undefined {
    const number = Number(/ (?:client|peer) CA(?: (\d+))?$/.exec(name)?.[1] ?? 1);
    const names = [authorityName(cluster, "client", number), authorityName(cluster, "peer", number)];
    return names.includes(name) ? number : undefined;
}

export function ascending(numbers: readonly number[]): readonly number[] {
    return [...numbers].sort((one, other) => one - other);
}

/** The common name of the certificate that this package itself uses: no client's. */
export const OPERATOR = "pulumi-etcd-operator";
