/**
 * Hosts whose etcd was started from files that somebody had changed, as far as this process has seen: the files are put back before
 * membership looks at what runs, so that only in a preview it has to be told.
 */
const edited = new Map<string, ReadonlySet<string>>();

export function noteEdited(cluster: string, hosts: readonly string[]): void {
    edited.set(cluster, new Set(hosts));
}

export function isEdited(cluster: string, host: string): boolean {
    return edited.get(cluster)?.has(host) ?? false;
}
