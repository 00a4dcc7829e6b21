/** What an archive tells about itself before anybody has unpacked it, if it is laid out as etcd's own releases are. Pure. */
import { shellQuote } from "../quote";

export interface ReleaseName {
    readonly version: string;
    /** As Go names it: `amd64`. */
    readonly architecture: string;
}

/** Reads the name of an archive's first entry, `etcd-v3.6.16-linux-amd64/…`; undefined for one that somebody packed otherwise. */
export function parseReleaseName(entry: string): ReleaseName | undefined {
    const [, version, architecture] = /^(?:\.\/)?etcd-v(\d+\.\d+\.\d+)-linux-([a-z0-9]+)\//.exec(entry) ?? [];
    return version === undefined || architecture === undefined ? undefined : { version, architecture };
}

/** Go's names, by what `uname -m` prints. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
    x86_64: "amd64",
    aarch64: "arm64",
    ppc64le: "ppc64le",
    s390x: "s390x",
    riscv64: "riscv64",
};

/** Why it is not the release that is wanted; undefined if nothing speaks against it. */
export function otherVersion(release: ReleaseName | undefined, wanted: string): string | undefined {
    if (release === undefined || release.version === wanted) return undefined;
    const { version } = release;
    return `holds etcd ${version}, wanted is ${wanted}: give the right archive, or declare version "${version}"`;
}

/** Why it does not run on such a machine; undefined if nothing speaks against it. */
export function otherMachine(release: ReleaseName | undefined, machine: string | undefined): string | undefined {
    const wanted = ARCHITECTURES[machine ?? ""];
    if (release === undefined || wanted === undefined || release.architecture === wanted) return undefined;
    return `is for ${release.architecture}, wanted is ${wanted}: give an archive for this architecture`;
}

/**
 * A function of a POSIX shell: `why_unfetched TEXT` prints the line of what curl or wget said that tells why they failed. After one about
 * certificates, curl goes on with where to read about them.
 */
export const WHY_UNFETCHED = `why_unfetched() {
    printf '%s\\n' "$1" | grep -m 1 -E '^(curl|wget|ERROR): ' || printf '%s\\n' "$1" | tail -n 1
}`;

/**
 * A function of a POSIX shell: `ask_curl URL OPTION...`. A URL may be signed, and any user of the host can read what a program is started
 * with: it goes over stdin, as curl_config(1) wants it quoted.
 */
export const ASK_CURL = `ask_curl() {
    url=$1
    shift
    printf '%s\\n' "$url" | sed 's/["\\\\]/\\\\&/g; s/.*/url = "&"/' | curl --config - "$@"
}`;

/**
 * A script that prints how an archive behind a URL begins: `archive=<the name of its first entry>`, which is empty where that can't be
 * told, or `unfetched=<why>`. It asks for 4 KiB, takes no more of a server that sends all, and leaves nothing.
 */
export function renderArchivePeek(url: string): string {
    return `
${WHY_UNFETCHED}
${ASK_CURL}
# Where there is room while a disk is full.
said=$(mktemp -p /run)
trap 'rm -f "$said"' EXIT
peek() {
    if command -v curl >/dev/null; then
        ask_curl ${shellQuote(url)} -fsSL --connect-timeout 10 --max-time 20 -r 0-4095 2>"$said"
    else
        wget -nv --timeout=10 --tries=1 --header='Range: bytes=0-4095' -O - ${shellQuote(url)} 2>"$said"
    fi
}
beginning=$(peek | head -c 4096 | base64)
if [ -n "$beginning" ]; then
    echo "archive=$(echo "$beginning" | base64 -d | gzip -dc 2>/dev/null | head -c 100 | tr -d '\\000')"
else
    echo "unfetched=$(why_unfetched "$(cat "$said")")"
fi
`;
}
