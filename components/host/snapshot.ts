import { shellQuote } from "../quote";

import type { HostPaths } from "./paths";

/**
 * A function of a POSIX shell: `save_verified FILE` takes a snapshot of the member at an endpoint, with the member's own certificate, and has
 * it checked. Its code says whether both went well; what it leaves behind if not is `FILE` and `FILE.part`.
 */
export function saveVerified(paths: HostPaths, releaseDir: string, endpoint: string): string {
    const tls = `--cacert ${paths.current}/client-ca.crt --cert ${paths.pki}/server.crt --key ${paths.pki}/server.key`;
    return `save_verified() {
    ETCDCTL_API=3 ${releaseDir}/etcdctl --endpoints ${shellQuote(endpoint)} ${tls} snapshot save "$1" >/dev/null || return
    if [ -x ${releaseDir}/etcdutl ]; then
        ${releaseDir}/etcdutl snapshot status "$1" >/dev/null
    else
        ETCDCTL_API=3 ${releaseDir}/etcdctl snapshot status "$1" >/dev/null
    fi
}`;
}
