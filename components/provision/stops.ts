/**
 * The clusters that an `up` would stop at before anything else, as far as this process has seen. The engine runs one process for all
 * resources of ours, so that a preview need not look again at hosts that can't be reached, nor show a plan that nothing would come of.
 */
const stopped = new Set<string>();

export function noteStop(cluster: string, isStopped: boolean): void {
    if (isStopped) stopped.add(cluster);
    else stopped.delete(cluster);
}

export function isStopped(cluster: string): boolean {
    return stopped.has(cluster);
}
