import * as pulumi from "@pulumi/pulumi";

import { InputError, type InputProblem } from "./inputError";

/** What a cluster takes of one host for itself. */
export interface Claim {
    readonly name: string;
    readonly address: string;
    readonly clientPort: number;
    readonly peerPort: number;
    readonly dataDir: string;
}

interface Directory {
    readonly cluster: string;
    readonly address: string;
    readonly path: string;
}

/** What the clusters of a program have. */
interface Claimed {
    /** By port of a host, and by name of a resource: the cluster that has it. */
    readonly owners: Map<string, string>;
    readonly directories: Directory[];
}

/** By run of a program. */
const claimed = new WeakMap<object, Claimed>();

/**
 * Notes which places on its hosts a cluster has, and which names of resources.
 * @throws InputError when another cluster of the same program has one of them: the two would take it from each other
 */
export function claimPlaces(cluster: string, hosts: readonly Claim[], clients: readonly string[]): void {
    const run = pulumi.runtime.getStackResource();
    if (run === undefined) return;
    const all = claimed.get(run) ?? { owners: new Map<string, string>(), directories: [] };
    claimed.set(run, all);
    const problems = [
        ...hosts.flatMap((host, index) => [
            ...claimPort(all, cluster, host, `hosts[${index}].clientPort`, host.clientPort),
            ...claimPort(all, cluster, host, `hosts[${index}].peerPort`, host.peerPort),
            ...claimDirectory(all, { cluster, address: host.address, path: host.dataDir }),
            ...claimName(all, cluster, "host", `hosts[${index}].name`, host.name),
        ]),
        ...clients.flatMap((name, index) => claimName(all, cluster, "client", `clients[${index}].name`, name)),
    ];
    if (problems.length > 0) throw new InputError(`EtcdCluster ${JSON.stringify(cluster)}`, problems);
}

/** The cluster that has something: this one, if nobody else has. */
function ownerOf({ owners }: Claimed, cluster: string, what: string): string {
    const owner = owners.get(what) ?? cluster;
    owners.set(what, owner);
    return owner;
}

function claimPort(
    all: Claimed,
    cluster: string,
    { address }: Claim,
    property: string,
    port: number,
): readonly InputProblem[] {
    const owner = ownerOf(all, cluster, `${address} ${port}`);
    if (owner === cluster) return [];
    const wanted = `a port that cluster ${JSON.stringify(owner)} does not have on ${address}`;
    return [{ property, found: JSON.stringify(port), wanted }];
}

/** A data directory is moved with all that is in it when its member goes. */
function claimDirectory({ directories }: Claimed, claim: Directory): readonly InputProblem[] {
    const { cluster, address, path } = claim;
    const rival = directories.find(
        (other) => other.cluster !== cluster && other.address === address && overlap(other.path, path),
    );
    directories.push(claim);
    if (!rival) return [];
    const where = rival.path === path ? "" : `, which has ${JSON.stringify(rival.path)}`;
    const wanted = `a directory that cluster ${JSON.stringify(rival.cluster)} does not have on ${address}${where}`;
    return [{ property: "dataDir", found: JSON.stringify(path), wanted }];
}

/** They are the same, or one is within the other. */
function overlap(one: string, other: string): boolean {
    return `${one}/`.startsWith(`${other}/`) || `${other}/`.startsWith(`${one}/`);
}

/** Resources are named by cluster and host: "y-1" of cluster "x" and "1" of cluster "x-y" would be one. */
function claimName(
    all: Claimed,
    cluster: string,
    kind: "host" | "client",
    property: string,
    name: string,
): readonly InputProblem[] {
    const resource = `${cluster}-${name}`;
    const owner = ownerOf(all, cluster, `${kind} ${resource}`);
    if (owner === cluster) return [];
    const theirs = JSON.stringify(resource.slice(owner.length + 1));
    const wanted = `a name that does not make ${JSON.stringify(resource)} with the cluster's, as ${theirs} of cluster ${JSON.stringify(owner)} does`;
    return [{ property, found: JSON.stringify(name), wanted }];
}
