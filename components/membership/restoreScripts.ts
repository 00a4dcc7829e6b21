/** What is said to a host's shell to begin anew from a snapshot. Pure: texts only; each can be cut off anywhere, and run again. */
import type { HostPaths } from "../host/paths";
import { ETCD_USER } from "../host/settings";
import { hasRoom, onSnapshot, REASON, SNAPSHOT_PRINT } from "../host/snapshot";
import { isAtLeast, parseVersion } from "../host/version";
import { shellQuote } from "../quote";
import { makeDataDir } from "./scripts";

/** A cluster of one, as a snapshot is to become it. */
export interface RestoredMember {
    /** The snapshot's path on the host. */
    readonly snapshot: string;
    readonly name: string;
    readonly peerUrl: string;
    readonly clusterToken: string;
    readonly version: string;
    readonly releaseDir: string;
    /** What is noted when all is there, in a line that begins with the snapshot's path. By what the snapshot is known again is noted beside. */
    readonly note: string;
}

/**
 * Revisions of before may have been seen by clients, though the snapshot does not have them: no later one is to be mistaken for them.
 * Whoever watches from one of them is told that it was compacted (etcd.io, "Disaster recovery": revision bump).
 */
const REVISIONS_SKIPPED = 1_000_000_000;

/** Lays down what a snapshot holds beside the data directory, checked by its hash. Neither data nor etcd are touched. */
export function restoreSnapshot(paths: HostPaths, member: RestoredMember): string {
    const { version, releaseDir, name, peerUrl } = member;
    const [snapshot, url] = [member.snapshot, peerUrl].map(shellQuote);
    const skips = isAtLeast(version, "3.5.10") ? ` --bump-revision ${REVISIONS_SKIPPED} --mark-compacted` : "";
    const as = `--name ${shellQuote(name)} --initial-cluster ${shellQuote(`${name}=${peerUrl}`)} --initial-advertise-peer-urls ${url}`;
    return `
umask 077
[ -f ${snapshot} ] || { echo "there is no snapshot ${member.snapshot} on this host: copy it there, or correct restore.snapshot" >&2; exit 1; }
${REASON}
${onSnapshot(releaseDir)}
${SNAPSHOT_PRINT}
${hasRoom(paths)}
${restoredHere(paths)}
rm -rf "$restored"
print=$(snapshot_print ${snapshot})
no_room=$(has_room "\${restored%/*}" "$(stat -L -c %s ${snapshot})" 2>&1) || { printf '%s\n' "\${no_room#Error: }; nothing was stopped" >&2; exit 1; }
trap '[ -e "$restored/complete" ] || rm -rf "$restored"' EXIT
written=$(on_snapshot status ${snapshot} --write-out json 2>/dev/null | sed -n 's/.*"version":"3[.]\\([0-9]*\\).*/\\1/p')
[ "\${written:-0}" -le ${parseVersion(version)?.minor ?? 0} ] || {
    echo "${member.snapshot} was written by etcd 3.$written, with whose data etcd ${version} does not start; nothing was stopped: declare a version of 3.$written, or take a snapshot from before" >&2
    exit 1
}
said=$(on_snapshot restore ${snapshot} --data-dir "$restored" ${as} --initial-cluster-token ${shellQuote(member.clusterToken)}${skips} 2>&1) || {
    echo "${member.snapshot} can't be restored ($(reason "$said")); nothing was stopped: take another snapshot, as etcdctl snapshot save writes it" >&2
    exit 1
}
chown -R ${ETCD_USER}:${ETCD_USER} "$restored"
sync -f "$restored"
printf '%s\\n' ${shellQuote(member.note)} "$print" >"$restored/note"
mv "$restored/note" "$restored/complete"`;
}

/**
 * Puts what was restored in the place of the data, unless it is there already; an emptied directory is no data. What is noted of it is not
 * true from then on.
 */
export function putRestored(paths: HostPaths): string {
    const data = shellQuote(paths.dataDir);
    return `
${restoredHere(paths)}
${makeDataDir(paths)}
rmdir ${data}/member 2>/dev/null || :
if ! [ -d ${data}/member ]; then
    rm -f "$restored/complete"
    mv -T "$restored/member" ${data}/member
fi
sync -f ${data}
rm -rf "$restored"`;
}

/** On the file system of the data, so that a rename is all that it takes to be there. */
function restoredHere(paths: HostPaths): string {
    return `restored=${shellQuote(paths.restored)}
if mountpoint -q ${shellQuote(paths.dataDir)}; then restored=${shellQuote(paths.restoredWithin)}; fi`;
}
