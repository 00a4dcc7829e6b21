/** What the engine hands to the handler, and what it keeps in state → the protocol's plain values. Pure. */
import type { Authorities } from "../adoption/authorities";
import type { RestoreArgs } from "../args";
import { httpsUrl } from "../host/settings";
import type { EtcdCredentials } from "../remote/etcdAccess";
import type { SshTarget } from "../remote/target";
import { isUnknown } from "../stateValues";
import type { Desired, Timeouts, WantedHost } from "./types";

/** One host, as the program declares it and as state remembers it. */
export interface HostInputs {
    readonly name: string;
    readonly address: string;
    readonly peerPort: number;
    readonly clientPort: number;
    readonly ssh: SshTarget;
    readonly generation: string;
}

export interface MembershipInputs {
    /** Of this shape. Handlers accept every older one. */
    readonly schemaVersion: 1;
    readonly cluster: string;
    readonly clusterToken: string;
    readonly version: string;
    readonly dataDir: string;
    readonly releaseDir: string;
    readonly hosts: readonly HostInputs[];
    /** What the cluster is to begin anew from. */
    readonly restore?: RestoreArgs;
    readonly maxLearners: number;
    readonly allowEvenSize: boolean;
    readonly firewall: boolean;
    readonly deleteDataOnDestroy: boolean;
    /** How etcd's API is reached: through the SSH connection, or from here. */
    readonly access: "ssh" | "direct";
    readonly timeouts: Timeouts;
    /** The operator's certificate for etcd's API. */
    readonly credentials: EtcdCredentials;
    /** What the members trusted before, while the cluster is taken over. */
    readonly inherited?: Authorities;
    /** Of this state of the stack: a destroy leaves hosts alone that another state's cluster has by then. */
    readonly owner?: string;
    /** The stack that declares the cluster, to name who holds its lock. */
    readonly stack: string;
}

/** What the program says. */
export interface MembershipArgs extends MembershipInputs {
    /** Whether the engine is asked for a preview. Never kept. */
    readonly isPreview: boolean;
    /** What the program has just seen: an `Observation`, packed. Never kept. */
    readonly ahead?: string | undefined;
}

/** What is kept beside the inputs. */
export interface MembershipState extends MembershipInputs {
    /** Hosts that were managed and could not be retired yet. */
    readonly retired?: readonly HostInputs[];
    readonly clusterId?: string;
    readonly initialClusterState?: "existing";
    readonly members?: readonly MemberRow[];
}

/** A member, as the outputs tell it. */
export interface MemberRow {
    readonly name: string;
    /** In hexadecimal, as etcdctl prints it. */
    readonly id: string;
    readonly address: string;
    readonly peerUrl: string;
    readonly clientUrl: string;
}

/** Hosts that an earlier run managed and whose address is declared no more: under another name or port a host is the same machine. */
export function retiredHosts(olds: Partial<MembershipState>, news: MembershipInputs): readonly HostInputs[] {
    const declared = new Set(news.hosts.map(({ address }) => address));
    const before = [...(olds.hosts ?? []), ...(olds.retired ?? [])].filter(({ address }) => !declared.has(address));
    // Of what is known of an address, the last is true.
    return [...new Map([...before].reverse().map((host) => [host.address, host])).values()].reverse();
}

/** In a preview: whatever is made, it is another one than those that run. */
const GENERATION_TO_COME = "(staged)";

export function desiredOf(olds: Partial<MembershipState>, news: MembershipInputs): Desired {
    const retired = retiredHosts(olds, news);
    const isGivenUp = olds.clusterId !== undefined && olds.clusterId === news.restore?.replaces;
    const named = (name: string): number => [...news.hosts, ...retired].filter((host) => host.name === name).length;
    return {
        cluster: news.cluster,
        clusterToken: news.clusterToken,
        dataDir: news.dataDir,
        releaseDir: news.releaseDir,
        version: news.version,
        hosts: news.hosts.map((host) => ({
            ...wantedHost(host, host.name),
            ...(isToCome(olds, news, host) && { generation: GENERATION_TO_COME }),
        })),
        retired: retired.map((host) =>
            wantedHost(host, named(host.name) > 1 ? `${host.name}@${host.address}:${host.peerPort}` : host.name),
        ),
        // What is given up is nothing that is to be found again.
        knownClusterId: isGivenUp ? undefined : olds.clusterId,
        restore: news.restore && { ...news.restore, isKnown: isGivenUp },
        ...(news.inherited && !isUnknown(news.inherited) && { isTakingOver: true }),
        maxLearners: news.maxLearners,
        allowEvenSize: news.allowEvenSize,
        firewall: news.firewall,
        timeouts: news.timeouts,
    };
}

/** It is taken over, or is to trust an authority that is still to be made. */
function isToCome(olds: Partial<MembershipState>, news: MembershipInputs, host: HostInputs): boolean {
    const isRotated = olds.credentials !== undefined && isUnknown(news.credentials.ca);
    return isUnknown(host.generation) && (news.inherited !== undefined || isRotated);
}

function wantedHost(host: HostInputs, key: string): WantedHost {
    return {
        key,
        name: host.name,
        address: host.address,
        peerUrl: httpsUrl(host.address, host.peerPort),
        clientUrl: httpsUrl(host.address, host.clientPort),
        peerPort: host.peerPort,
        clientPort: host.clientPort,
        ssh: host.ssh,
        generation: isUnknown(host.generation) ? undefined : host.generation,
    };
}
