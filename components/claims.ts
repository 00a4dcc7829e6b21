import * as pulumi from "@pulumi/pulumi";

import { InputError, type InputProblem } from "./inputError";

/** What a cluster takes of one host for itself. */
export interface Claim {
    readonly address: string;
    readonly clientPort: number;
    readonly peerPort: number;
    readonly dataDir: string;
}

/** By run of a program, place by place: the cluster that has it. */
const claimed = new WeakMap<object, Map<string, string>>();

/**
 * Notes which places on its hosts a cluster has.
 * @throws InputError when another cluster of the same program has one of them: the two would take it from each other
 */
export function claimPlaces(cluster: string, hosts: readonly Claim[]): void {
    const run = pulumi.runtime.getStackResource();
    if (run === undefined) return;
    const places = claimed.get(run) ?? new Map<string, string>();
    claimed.set(run, places);
    const problems = hosts.flatMap((host, index) => [
        ...claim(places, cluster, host, `hosts[${index}].clientPort`, host.clientPort, "a port"),
        ...claim(places, cluster, host, `hosts[${index}].peerPort`, host.peerPort, "a port"),
        ...claim(places, cluster, host, "dataDir", host.dataDir, "a directory"),
    ]);
    if (problems.length > 0) throw new InputError(`EtcdCluster ${JSON.stringify(cluster)}`, problems);
}

function claim(
    places: Map<string, string>,
    cluster: string,
    { address }: Claim,
    property: string,
    value: number | string,
    kind: string,
): readonly InputProblem[] {
    const place = `${address} ${value}`;
    const owner = places.get(place) ?? cluster;
    places.set(place, owner);
    if (owner === cluster) return [];
    const wanted = `${kind} that cluster ${JSON.stringify(owner)} does not have on ${address}`;
    return [{ property, found: JSON.stringify(value), wanted }];
}
