import { shellQuote } from "../quote";

import type { HostPaths } from "./paths";

/** A function of a POSIX shell: `on_snapshot status|restore …` works on a snapshot's file, with the tool that this release has for it. */
export function onSnapshot(releaseDir: string): string {
    return `on_snapshot() {
    if [ -x ${releaseDir}/etcdutl ]; then
        ${releaseDir}/etcdutl snapshot "$@"
    else
        ETCDCTL_API=3 ${releaseDir}/etcdctl snapshot "$@"
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
 * A function of a POSIX shell: `save_verified FILE` takes a snapshot of the member at an endpoint, with the member's own certificate, reads it
 * again, and compares it with its sha256. Its code says whether all went well; what it leaves behind if not is `FILE` and `FILE.part`.
 */
export function saveVerified(paths: HostPaths, releaseDir: string, endpoint: string): string {
    const tls = `--cacert ${paths.current}/client-ca.crt --cert ${paths.pki}/server.crt --key ${paths.pki}/server.key`;
    return `${onSnapshot(releaseDir)}
${HAS_ITS_SUM}
save_verified() {
    ETCDCTL_API=3 ${releaseDir}/etcdctl --endpoints ${shellQuote(endpoint)} ${tls} snapshot save "$1" >/dev/null || return
    on_snapshot status "$1" >/dev/null || return
    has_its_sum "$1"
}`;
}
