import { INSTALL_LOCK, RELEASE_NAME } from "./install";
import type { HostPaths } from "./paths";

/**
 * Removes each release that no cluster's unit runs, nor would run after a step back. While somebody installs one, all are left; so is what
 * is not named as an install names it, which is somebody else's.
 */
export function removeReleases(paths: HostPaths): string {
    return `
(
    exec 9>${INSTALL_LOCK}
    flock -n 9 || exit 0
    ls -1 ${paths.releases} 2>/dev/null | grep -xE '${RELEASE_NAME}' | while read -r name; do
        grep -qsF "ExecStart=${paths.releases}/$name/" /etc/systemd/system/etcd-*.service /etc/etcd/*/generations/*/etcd.service || rm -rf "${paths.releases}/$name"
    done
    rmdir ${paths.releases} 2>/dev/null || true
)`;
}
