/** An etcd that somebody set up by hand, where ours is to run: how a host is asked for it, and what it says. Pure. */
import { posix } from "node:path";

import type { HostPaths } from "../host/paths";
import { hasLog } from "../host/writeAheadLog";
import { shellQuote } from "../quote";

/** A member that runs without us, or did until its take-over began. */
export interface ForeignEtcd {
    /** The systemd unit that runs it, `etcd.service`; undefined when none does. */
    readonly unit: string | undefined;
    /** False from when it was stopped for good until ours is started. */
    readonly isRunning: boolean;
    /** Its settings, by the names of etcd's flags. */
    readonly options: ReadonlyMap<string, string>;
    readonly dataDir: string;
    /** Its data directory can be renamed to where ours shall be. */
    readonly isOnSameDisk: boolean;
    /** What is mounted somewhere in its data directory. */
    readonly mounts: readonly string[];
    /** Addresses that are connected to its client port. */
    readonly clients: readonly string[];
}

/** What a take-over that has begun notes on its host, until ours has started. */
export function takeoverNote(paths: HostPaths): string {
    return `${paths.root}/takeover`;
}

/**
 * Lines that start with `foreign.`: whoever listens on the peer port and is an etcd, and is not run by our unit. Reads only. What can't be
 * seen is not taken for not there: the script ends with code 1, and says why as the last line of its stderr.
 */
export function foreignScript(
    paths: HostPaths,
    { peerPort, clientPort }: { readonly peerPort: number; readonly clientPort: number },
): string {
    const note = shellQuote(takeoverNote(paths));
    return `
device() { place=$1; while ! [ -d "$place" ]; do place=$(dirname "$place"); done; stat -c %d "$place"; }
unknown() { printf '%s\\n' "$1" >&2; exit 1; }
# sockets PORT OPTION...
sockets() {
    port=$1; shift
    sockets=$(ss "$@" "sport = :$port" 2>/dev/null) && return
    code=$?
    why=$(ss "$@" "sport = :$port" 2>&1 >/dev/null | tail -n 1)
    unknown "ss is to tell who has port $port before an etcd there is taken over, and fails (\${why:-exit code $code}): install the package iproute2, or repair it"
}
describe() {
    echo "foreign.pid=$pid"
    echo "foreign.unit=$(sed -n 's|.*/\\([^/]*\\.service\\)$|\\1|p' "/proc/$pid/cgroup" | head -n 1)"
    echo "foreign.cwd=$(readlink "/proc/$pid/cwd")"
    tr '\\0' '\\n' <"/proc/$pid/environ" | grep '^ETCD_' | sed 's/^/foreign.env:/'
    tr '\\0' '\\n' <"/proc/$pid/cmdline" | tail -n +2 | sed 's/^/foreign.arg:/'
    data=$(tr '\\0' '\\n' <"/proc/$pid/environ" | sed -n 's/^ETCD_DATA_DIR=//p')
    for file in /proc/$pid/fd/*; do
        wal=$(readlink "$file")
        case "$wal" in */member/wal/*.wal) data=\${wal%/member/wal/*};; esac
    done
    echo "foreign.data=$data"
    awk -v within="$data/" 'index($5, within) == 1 { print "foreign.mount=" $5 }' /proc/self/mountinfo
    [ "$(device "$data")" = "$(device ${shellQuote(posix.dirname(paths.dataDir))})" ] && echo foreign.disk=same
}
sockets ${peerPort} -Hltnp
pid=$(printf '%s' "$sockets" | sed -n 's/.*("etcd",pid=\\([0-9]*\\).*/\\1/p' | head -n 1)
found=
if [ -n "$pid" ] && ! grep -qs '/${paths.unit}\\.service' "/proc/$pid/cgroup"; then
    found=$(describe 2>/dev/null)
    # One that has ended meanwhile shows no flags, as one without TLS has none: it does not run.
    grep -q . "/proc/$pid/cmdline" 2>/dev/null || found=
fi
if [ -n "$found" ]; then
    printf '%s\\n' "$found"
    sockets ${clientPort} -Htn state established
    [ -z "$sockets" ] || printf '%s\\n' "$sockets" | awk '{ print "foreign.client=" $4 }' | sort -u
elif ! state=$(systemctl is-active ${paths.unit}.service); then
    [ -n "$state" ] || unknown "systemd does not say whether ${paths.unit}.service runs: see systemctl status ${paths.unit}"
    noted=$(sed -n 's/^data=//p' ${note} 2>/dev/null)
    # Without data there is nothing left to take over.
    if ${hasLog('"$noted"')} || ${hasLog(shellQuote(paths.dataDir))}; then sed 's/^/foreign.note:/' ${note} 2>/dev/null; fi
fi`;
}

/** A line where a take-over has stopped theirs, and ours does not run: for a look that is for no take-over. */
export function interruptedScript(paths: HostPaths): string {
    const note = shellQuote(takeoverNote(paths));
    return `if [ -f ${note} ] && ! systemctl is-active --quiet ${paths.unit}.service; then
    noted=$(sed -n 's/^data=//p' ${note})
    if ${hasLog('"$noted"')} || ${hasLog(shellQuote(paths.dataDir))}; then echo takeover=interrupted; fi
fi`;
}

/** Reads what the script of `foreignScript` printed; undefined where there is no such etcd. */
export function parseForeign(answer: string): ForeignEtcd | undefined {
    const lines = answer.split("\n");
    const all = (prefix: string): readonly string[] =>
        lines.flatMap((line) => (line.startsWith(prefix) ? [line.slice(prefix.length)] : []));
    const one = (prefix: string): string | undefined => all(prefix)[0] || undefined;
    const note = new Map(all("foreign.note:").map(assignment));
    const noted = note.get("data");
    if (noted !== undefined) {
        return {
            unit: note.get("unit"),
            isRunning: false,
            options: new Map(),
            dataDir: noted,
            isOnSameDisk: true,
            mounts: [],
            clients: [],
        };
    }
    if (one("foreign.pid=") === undefined) return undefined;
    const cwd = one("foreign.cwd=") ?? "/";
    const options = new Map([
        ...all("foreign.env:")
            .map(assignment)
            .map(
                ([name, value]) =>
                    [
                        name
                            .replace(/^ETCD_/, "")
                            .toLowerCase()
                            .replaceAll("_", "-"),
                        value,
                    ] as [string, string],
            ),
        ...flags(all("foreign.arg:")),
    ]);
    // They are read from elsewhere than where it runs.
    for (const flag of TLS_FLAGS) {
        const file = options.get(flag);
        if (file) options.set(flag, posix.resolve(cwd, file));
    }
    return {
        unit: one("foreign.unit="),
        isRunning: true,
        options,
        // What it holds open is where its data is, whatever it was told.
        dataDir: posix.resolve(cwd, one("foreign.data=") ?? options.get("data-dir") ?? `${options.get("name")}.etcd`),
        isOnSameDisk: one("foreign.disk=") === "same",
        mounts: all("foreign.mount="),
        clients: all("foreign.client=").map(hostOf).filter(isElsewhere),
    };
}

/** The files that a member has to have for TLS on both ports, by the flags that name them. */
export const TLS_FLAGS = [
    "trusted-ca-file",
    "cert-file",
    "key-file",
    "peer-trusted-ca-file",
    "peer-cert-file",
    "peer-key-file",
] as const;

/** A member without TLS, neither for clients nor for peers. Nothing is known of one that is stopped. */
export function isPlain({ isRunning, options }: ForeignEtcd): boolean {
    if (!isRunning || [...TLS_FLAGS, "auto-tls", "peer-auto-tls"].some((flag) => options.has(flag))) return false;
    const urls = ["listen-client-urls", "listen-peer-urls"].map((flag) => options.get(flag) ?? "");
    return !urls.some((list) => list.includes("https:"));
}

/** Where the certificates lie that it shows, by the names that ours has for them. One without TLS has none: there lie ours. */
export function leavesOf(foreign: ForeignEtcd): Readonly<Record<string, string>> {
    const { options } = foreign;
    if (isPlain(foreign)) return {};
    const file = (flag: string): string => options.get(flag) ?? "";
    return {
        "server.crt": file("cert-file"),
        "server.key": file("key-file"),
        "peer.crt": file("peer-cert-file"),
        "peer.key": file("peer-key-file"),
    };
}

function assignment(line: string): [string, string] {
    const cut = line.indexOf("=");
    return [line.slice(0, cut), line.slice(cut + 1)];
}

/** `--name a`, `--name=a`, `-name=a`, `--client-cert-auth`. */
function flags(words: readonly string[]): readonly [string, string][] {
    return words.flatMap((word, index): readonly [string, string][] => {
        const name = /^--?([a-z0-9-]+)(?:=(.*))?$/s.exec(word);
        if (!name) return [];
        const next = words[index + 1];
        const separate = next !== undefined && !next.startsWith("-") ? next : "true";
        return [[name[1]!, name[2] ?? separate]];
    });
}

/** `[::ffff:10.0.0.1]:2379` → `10.0.0.1` */
function hostOf(endpoint: string): string {
    return endpoint
        .replace(/:\d+$/, "")
        .replace(/^\[|\]$/g, "")
        .replace(/^::ffff:/, "");
}

function isElsewhere(address: string): boolean {
    return !address.startsWith("127.") && address !== "::1";
}
