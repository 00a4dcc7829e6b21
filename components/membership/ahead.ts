/**
 * What the program has seen of clusters, as far as this process was told. It may only say that nothing is to be done: before anything is,
 * the cluster is observed from here.
 */
import { unpack } from "../packed";
import type { Observation } from "./types";

const seen = new Map<string, Observation>();
const touched = new Set<string>();

/** @param packed an `Observation` */
export function noteAhead(cluster: string, packed: string | undefined): void {
    const observation = touched.has(cluster) ? undefined : unpack<Observation>(packed);
    if (observation) seen.set(cluster, observation);
    else seen.delete(cluster);
}

/** What was seen, once. */
export function takeAhead(cluster: string): Observation | undefined {
    const observation = seen.get(cluster);
    seen.delete(cluster);
    return observation;
}

/** Its hosts are worked on from here on. What the program saw was before. */
export function noteTouched(cluster: string): void {
    touched.add(cluster);
    seen.delete(cluster);
}
