/** What comes before a step that can't be taken back: a snapshot, and the end of connections that would hold the leader up in a removal. */
import type { HostPaths } from "../host/paths";
import type { Observer } from "./observe";
import type { OnHosts } from "./onHosts";
import * as scripts from "./scripts";
import type { Desired, Observation } from "./types";
import { silentPeer } from "./whomToAsk";

/** Enough for a host that answers. */
const DROP_SECONDS = 10;
/** A database of several GiB is written, and read again. */
export const SNAPSHOT_SECONDS = 600;

export interface RemovalSite {
    readonly hosts: OnHosts;
    readonly observer: Observer;
    readonly wanted: Desired;
    readonly seen: Observation;
    readonly paths: HostPaths;
}

/** Taken and checked. @returns where it is, for people */
export async function takeSnapshot({ hosts, observer, wanted, paths }: RemovalSite, key: string): Promise<string> {
    const host = observer.host(key);
    const releaseDir = wanted.hosts.includes(host) ? wanted.releaseDir : undefined;
    const script = scripts.snapshot(paths, releaseDir, observer.endpoint(key));
    const file = await hosts.run(key, "take a snapshot", script, SNAPSHOT_SECONDS);
    return `snapshot kept on "${host.name}" in ${file.trim()}`;
}

/** It only spares clients a wait: a leader's host that can't be reached may do without. */
export async function dropConnections({ hosts, observer, seen }: RemovalSite, memberId: string): Promise<void> {
    const silent = silentPeer(seen, memberId);
    if (!silent) return;
    const script = scripts.dropConnections(observer.host(silent.leader).peerPort, silent.peerUrls);
    await hosts.run(silent.leader, "drop connections", script, DROP_SECONDS).catch(() => undefined);
}
