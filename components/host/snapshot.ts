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
 * A function of a POSIX shell: `save_verified FILE` takes a snapshot of the member at an endpoint, with the member's own certificate, and has
 * it checked. Its code says whether both went well; what it leaves behind if not is `FILE` and `FILE.part`.
 */
export function saveVerified(paths: HostPaths, releaseDir: string, endpoint: string): string {
    const tls = `--cacert ${paths.current}/client-ca.crt --cert ${paths.pki}/server.crt --key ${paths.pki}/server.key`;
    return `${onSnapshot(releaseDir)}
save_verified() {
    ETCDCTL_API=3 ${releaseDir}/etcdctl --endpoints ${shellQuote(endpoint)} ${tls} snapshot save "$1" >/dev/null || return
    on_snapshot status "$1" >/dev/null
}`;
}
