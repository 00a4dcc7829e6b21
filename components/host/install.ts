import type { InstallSource } from "../args";
import { shellQuote } from "../quote";
import { renderDebianInstall } from "./installDebian";
import { ASK_CURL, WHY_UNFETCHED } from "./release";

/** Where releases are unpacked, one directory per archive. */
const RELEASES = "/opt/etcd";

/** The directory that holds the binaries of a version, named by what they were unpacked from. */
export function releaseDir(source: InstallSource, version: string): string {
    return source.source === "debian" ? "/usr/bin" : `${RELEASES}/${version}-${source.sha256.slice(0, 12)}`;
}

/** How such a directory is called, and what lies beside it while it is made: an extended regular expression. */
export const RELEASE_NAME = "[0-9]+[.][0-9]+[.][0-9][0-9a-z.-]*-[0-9a-fA-F]{12}([.](archive|unpacked))?";

/** Held while releases come or go. */
export const INSTALL_LOCK = "/run/pulumi-etcd-install.lock";

/** A script that prints `present` if the right binaries are there, whole, and `absent` if not. It changes nothing. */
export function renderInstallCheck(source: InstallSource, version: string): string {
    return [FUNCTIONS, ...variables(source, version), "if present; then echo present; else echo absent; fi", ""].join(
        "\n",
    );
}

/**
 * A script for root that makes the binaries of a version be there, from where the source says. From a file: the archive comes over the
 * script's standard input. It does nothing if they are there, can be cut off anywhere, and starts, stops or replaces nothing that
 * runs. On failure it says why in one sentence on stderr and ends with code 1.
 */
export function renderInstall(source: InstallSource, version: string): string {
    const head = [FUNCTIONS, ...variables(source, version)];
    if (source.source === "debian") return [...head, renderDebianInstall(), ""].join("\n");
    const fetch = source.source === "url" ? `fetch ${shellQuote(source.url)}` : "receive";
    return [...head, "take_lock", "if present; then cat >/dev/null; exit 0; fi", "clean", fetch, "unpack", ""].join(
        "\n",
    );
}

function variables(source: InstallSource, version: string): readonly string[] {
    return [
        `version=${shellQuote(version)}`,
        `directory=${shellQuote(releaseDir(source, version))}`,
        ...(source.source === "debian"
            ? ["complete="]
            : [`sha256=${shellQuote(source.sha256.toLowerCase())}`, 'complete="$directory/.complete"']),
    ];
}

const FUNCTIONS = `set -eu
umask 022
fail() { printf '%s\\n' "$1" >&2; rmdir "\${directory%/*}" 2>/dev/null || :; exit 1; }

take_lock() {
    command -v flock >/dev/null || fail "the program flock is missing on this host: install util-linux"
    exec 9>${INSTALL_LOCK}
    flock -w 840 9 || fail "another run has been installing etcd on this host for 14 minutes: wait for it, or end it"
}

# version_of BINARY: 3.6.16, or nothing if it does not run.
version_of() { "$1" --version 2>/dev/null | sed -n 's/^etcd Version: *//p'; }

# The mark is the last thing that an installation writes, after it has asked the binary; the directory's name has the version. The
# distribution's binaries have no mark and are asked each time.
present() {
    [ -x "$directory/etcd" ] && [ -x "$directory/etcdctl" ] || return 1
    if [ -n "$complete" ]; then [ -f "$complete" ]; else [ "$(version_of "$directory/etcd")" = "$version" ]; fi
}

clean() {
    mkdir -p "\${directory%/*}"
    archive=$directory.archive
    unpacked=$directory.unpacked
    rm -rf "$unpacked"
}

digest_of() { sha256sum "$1" | cut -d ' ' -f 1; }

receive() {
    cat >"$archive"
    found=$(digest_of "$archive")
    [ "$found" = "$sha256" ] || { rm -f "$archive"; fail "the archive has the sha256 $found, wanted is $sha256: give the right archive, or correct sha256"; }
}

# A download that was cut off goes on where it ended. If that gives the wrong archive, it is tried once more from the start.
fetch() {
    started=
    [ ! -s "$archive" ] || started=yes
    if [ -n "$started" ] && [ "$(digest_of "$archive")" = "$sha256" ]; then return 0; fi
    download "$1" || {
        [ -n "$started" ] || unfetched "$1"
        rm -f "$archive"
        download "$1" || unfetched "$1"
        started=
    }
    found=$(digest_of "$archive")
    if [ "$found" != "$sha256" ] && [ -n "$started" ]; then
        rm -f "$archive"
        download "$1" || unfetched "$1"
        found=$(digest_of "$archive")
    fi
    [ "$found" = "$sha256" ] || { rm -f "$archive"; fail "\${1%%[?#]*} has the sha256 $found, wanted is $sha256: give the right URL, or correct sha256"; }
}

${WHY_UNFETCHED}
${ASK_CURL}
unfetched() { fail "\${1%%[?#]*} can't be fetched from this host: $problem: correct the URL, or let the host reach it"; }

download() {
    if command -v curl >/dev/null; then
        problem=$(ask_curl "$1" -fsSL --connect-timeout 15 --speed-limit 1024 --speed-time 30 -C - -o "$archive" 2>&1) && return 0
    elif command -v wget >/dev/null; then
        problem=$(wget -nv --timeout=30 --tries=1 -c -O "$archive" "$1" 2>&1) && return 0
    else
        fail "neither curl nor wget is on this host: install one of them, or use source \\"file\\""
    fi
    problem=$(why_unfetched "$problem")
    return 1
}

unpack() {
    mkdir "$unpacked" "$unpacked/all"
    problem=$(tar -xf "$archive" -C "$unpacked/all" --strip-components=1 --no-same-owner 2>&1) || {
        rm -rf "$unpacked"
        fail "the archive can't be unpacked below \${directory%/*}: $(printf '%s' "$problem" | head -n 1)"
    }
    for name in etcd etcdctl etcdutl; do
        if [ -f "$unpacked/all/$name" ]; then install -m 0755 "$unpacked/all/$name" "$unpacked/$name"; fi
    done
    rm -rf "$unpacked/all"
    if ! [ -f "$unpacked/etcd" ] || ! [ -f "$unpacked/etcdctl" ]; then
        rm -rf "$unpacked" "$archive"
        fail "the archive holds no etcd and etcdctl one level down, wanted is the layout of etcd's own releases: give such an archive"
    fi
    found=$(version_of "$unpacked/etcd")
    if [ "$found" != "$version" ]; then
        rm -rf "$unpacked" "$archive"
        [ -n "$found" ] || fail "the archive's etcd does not run on this host ($(uname -m)): give an archive for this architecture"
        fail "the archive holds etcd $found, wanted is $version: give the right archive, or declare version \\"$found\\""
    fi
    printf '%s\\n' "$sha256" >"$unpacked/.complete"
    sync "$unpacked"/etcd* "$unpacked/.complete"
    # Only what never was complete stands in the way here.
    rm -rf "$directory"
    mv -T "$unpacked" "$directory"
    rm -f "$archive"
}
`;
