import { shellQuote } from "../quote";

import type { HostPaths } from "./paths";

/**
 * A function of a POSIX shell: `alone COMMAND…` runs one of etcd's tools without what a host's `/etc/environment` has: they would call members
 * through a proxy, without an end if that refuses, and end at once when an `ETCDCTL_…` is there that is also a flag.
 */
const ALONE = `alone() { env -i PATH="$PATH" HOME=/ LC_ALL=C ETCDCTL_API=3 "$@"; }`;

/** A function of a POSIX shell: `on_snapshot status|restore …` works on a snapshot's file, with the tool that this release has for it. */
export function onSnapshot(releaseDir: string): string {
    return `${ALONE}
on_snapshot() {
    if [ -x ${releaseDir}/etcdutl ]; then
        alone ${releaseDir}/etcdutl snapshot "$@"
    else
        alone ${releaseDir}/etcdctl snapshot "$@"
    fi
}`;
}

/** A function of a POSIX shell: `reason TEXT` prints the line of what etcd's tools said that tells why they failed. */
export const REASON = `reason() {
    printf '%s\\n' "$1" | grep -m 1 -E '^(Error|panic):' || printf '%s\\n' "$1" | tail -n 1
}`;

/**
 * A function of a POSIX shell: `has_its_sum FILE` compares a snapshot with the sha256 that etcd sends after it. etcd's own tools look at it
 * only when they restore (etcd etcdutl/snapshot/v3_snapshot.go: copyAndVerifyDB); their `status` reads the database's pages.
 */
const HAS_ITS_SUM = `has_its_sum() {
    [ "$(head -c -32 "$1" | sha256sum | cut -c -64)" = "$(tail -c 32 "$1" | od -An -v -tx1 | tr -d ' \\n')" ] && return
    echo "Error: what was saved is not what etcd sent: it has another sha256; check the disk that $1 is on" >&2
    return 1
}`;

/**
 * A function of a POSIX shell: `snapshot_print FILE` prints by what a snapshot is known again without reading all of it: its size, and the
 * sha256 that etcd sends after it.
 */
export const SNAPSHOT_PRINT = `snapshot_print() {
    printf '%s-%s\\n' "$(stat -L -c %s "$1")" "$(tail -c 32 "$1" | od -An -v -tx1 | tr -d ' \\n')"
}`;

/** Two segments of its log, which etcd makes ahead, in KiB: what it may want to write at any moment. */
const ROOM_KIB = 128 * 1024;

/**
 * A function of a POSIX shell: `has_room DIRECTORY BYTES` says no where so much more, on the disk of the data, would leave etcd no room to
 * write: it ends then, and on all hosts at about the same time if each of them does the same.
 */
export function hasRoom({ dataDir }: HostPaths): string {
    return `has_room() {
    [ "$(stat -c %d "$1")" = "$(stat -c %d ${shellQuote(dataDir)} 2>/dev/null)" ] || return 0
    need=$(($2 / 1024 + ${ROOM_KIB}))
    free=$(df -Pk "$1" | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$need" ] && return
    echo "Error: $1 is on the disk of etcd's own data, where $((free / 1024)) MiB are free and $((need / 1024)) MiB are wanted, so that etcd can go on writing: make room there, or use another disk" >&2
    return 1
}`;
}

/**
 * A function of a POSIX shell: `save_verified FILE` takes a snapshot of the member at an endpoint, with the member's own certificate, reads it
 * again, and compares it with its sha256. None is taken where it could cost etcd its room. Its code says whether all went well; what it leaves
 * behind if not is `FILE` and `FILE.part`.
 */
export function saveVerified(paths: HostPaths, releaseDir: string, endpoint: string): string {
    const tls = endpoint.startsWith("http://")
        ? ""
        : `--cacert ${paths.current}/client-ca.crt --cert ${paths.pki}/server.crt --key ${paths.pki}/server.key `;
    return `${onSnapshot(releaseDir)}
${HAS_ITS_SUM}
${hasRoom(paths)}
save_verified() {
    has_room "\${1%/*}" "$(stat -c %s ${shellQuote(`${paths.dataDir}/member/snap/db`)} 2>/dev/null || echo 0)" || return
    alone ${releaseDir}/etcdctl --endpoints ${shellQuote(endpoint)} ${tls}snapshot save "$1" >/dev/null || return
    on_snapshot status "$1" >/dev/null || return
    has_its_sum "$1"
}`;
}

/**
 * Lines of a POSIX shell: of the snapshots in a directory, `$file` and the latest others are kept. Those whose names are later than that of
 * `$file`, by a clock that was ahead, go first. What has no such name is not ours.
 * @param filter a command that prints those of the names it reads that are ours @default "cat": all
 */
export function keepLast(directory: string, count: number, filter = "cat"): string {
    return `ls -1 ${directory} | grep -xE '[0-9]{8}T[0-9]{6}[.][0-9]{3}Z[.]db' | ${filter} | grep -vxF "\${file##*/}" |
    awk -v new="\${file##*/}" '{ print ($0 > new ? 0 : 1), $0 }' | sort -r | tail -n +${count} |
    while read -r rank old; do rm -f ${directory}/"$old"; done`;
}
