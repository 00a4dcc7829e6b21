/** What became of the files that a host was given: the question as a script, and its answer as plain values. Pure. */
import { isFirewallInForce } from "../host/firewall";
import type { HostPaths } from "../host/paths";
import { ETCD_USER } from "../host/settings";
import { shellQuote } from "../quote";

/** One thing that is not as it was laid down. */
export type Drift =
    | { readonly kind: "content"; readonly path: string; readonly difference: readonly string[] }
    | { readonly kind: "gone"; readonly path: string }
    | { readonly kind: "mode"; readonly path: string; readonly wanted: string; readonly found: string }
    | { readonly kind: "data"; readonly path: string; readonly found: string }
    | { readonly kind: "firewall" }
    | { readonly kind: "backup" }
    /** It was not noted what is to be there: an earlier run was cut off. */
    | { readonly kind: "unfinished" };

export interface DriftSeen {
    readonly drift: readonly Drift[];
    /** etcd was started from files that were changed by then: it is to be restarted from the right ones. */
    readonly isEdited: boolean;
    /** Files of ours that say that another tool writes them, and its words. */
    readonly otherTools: readonly { readonly path: string; readonly words: string }[];
    /** What changes etcd's unit and is not ours. */
    readonly dropIns: readonly string[];
}

/** How tools sign what they write. */
const SIGNATURES =
    "(managed|maintained|generated|controlled) by ([a-z]+ )?(ansible|puppet|chef|salt|saltstack|cfengine|cloud-init)|ansible[ _]managed|(begin|end) ansible managed";

/** How much of a difference is shown. */
const DIFF_LINES = 12;

/**
 * Part of the script that looks at a host. While all is as it was laid down, it is two lists that are equal; only what differs is looked
 * at one by one. Keys and certificates are never printed.
 */
export function driftScript(paths: HostPaths, firewall: boolean): string {
    const quoted = (path: string): string => shellQuote(path);
    const note = quoted(`${paths.runtime}/generation`);
    return `
manifest=${quoted(paths.manifest)}
is_edited() { [ -f ${note} ] && ! [ "$1" -nt ${note} ] && echo edited=yes; }
differs() {
    echo "drift=content $1"
    words=$(head -c 65536 "$1" | tr -d '\\000' | grep -aiE -m 1 ${shellQuote(SIGNATURES)}) && echo "signed=$1 $words"
    if [ -f "$2" ]; then diff -U 0 "$2" "$1" | tail -n +3 | head -n ${DIFF_LINES} | while IFS= read -r line; do printf 'difference=%s %s\\n' "$1" "$line"; done; fi
}
each() {
    while read -r mode number owner path; do
        case "$mode" in [-dl][-r][-w]*) ;; *) continue;; esac
        is=$(stat -c '%A %a %U:%G' "$path" 2>/dev/null)
        if [ -z "$is" ]; then echo "drift=gone $path"
        elif [ "$is" != "$mode $number $owner" ]; then echo "drift=mode $path $number $owner $\{is#* }"; fi
    done <"$manifest"
    while read -r sum path; do
        case "$sum" in [-dl][-r][-w]*) continue;; esac
        [ -f "$path" ] || continue
        now=$(sha256sum "$path"); [ "$\{now%% *}" = "$sum" ] && continue
        differs "$path" ${quoted(paths.asStaged)}/"$\{path##*/}"
        case "$path" in ${quoted(paths.generations)}/*) [ "$(cat ${note} 2>/dev/null)" = "$(basename "$(dirname "$path")")" ] && is_edited "$path";; esac
    done <"$manifest"
}
if [ -f "$manifest" ] && ! [ -e ${quoted(paths.staging)} ]; then
    all=; files=; noted=
    while IFS= read -r line; do
        noted="$noted$line
"
        path=\${line#* * * }
        case "$line" in -[-r][-w]*) all="$all $path"; files="$files $path";; [dl][-r][-w]*) all="$all $path";; esac
    done <"$manifest"
    now=$({ stat -c '%A %a %U:%G %n' $all; sha256sum $files; } 2>/dev/null)
    [ "$now
" = "$noted" ] || each
    unit=${quoted(paths.unitFile)}
    stat -c '%A %a %U:%G %n' "$unit" ${[paths.membershipEnv, paths.identity, paths.peers].map(quoted).join(" ")} 2>/dev/null | while read -r mode number owner path; do
        wanted="640 root:${ETCD_USER}"; [ "$path" = "$unit" ] && wanted="644 root:root"
        [ "$number $owner" = "$wanted" ] || echo "drift=mode $path $wanted $number $owner"
    done
    running=${quoted(paths.current)}/etcd.service
    if [ -f "$unit" ] && [ -f "$running" ] && ! cmp -s "$running" "$unit"; then differs "$unit" "$running"; is_edited "$unit"; fi
    for place in "$unit".d/*.conf; do [ -e "$place" ] && echo "dropin=$place"; done
    case "$all " in *" "${quoted(paths.backupTimerFile)}" "*)
        [ -L /etc/systemd/system/timers.target.wants/${paths.backupUnit}.timer ] && systemctl is-active --quiet ${paths.backupUnit}.timer || echo "drift=backup"
    esac
    stray=$(find ${quoted(`${paths.dataDir}/member`)} ! -user ${ETCD_USER} -print -quit 2>/dev/null)
    [ -z "$stray" ] || echo "drift=data $stray $(stat -c %U:%G "$stray")"
${
    firewall
        ? `    [ -d /run/${paths.firewallUnit} ] && [ -L /etc/systemd/system/sysinit.target.wants/${paths.firewallUnit}.service ] && ${isFirewallInForce(paths.firewallTable)} || echo "drift=firewall"`
        : ""
}
elif [ -e ${quoted(paths.mark)} ]; then echo "drift=unfinished"
fi
`;
}

/** Reads what the script printed; `all` gives the values of a key. */
export function parseDrift(all: (key: string) => readonly string[]): DriftSeen {
    const differences = all("difference").map(firstWord);
    return {
        drift: all("drift").flatMap((line): readonly Drift[] => {
            const [kind, path = "", ...rest] = line.split(" ");
            switch (kind) {
                case "content": {
                    const difference = differences.filter(([of]) => of === path).map(([, text]) => text);
                    return [{ kind, path, difference }];
                }
                case "gone":
                    return [{ kind, path }];
                case "mode":
                    return [{ kind, path, wanted: rest.slice(0, 2).join(" "), found: rest.slice(2).join(" ") }];
                case "data":
                    return [{ kind, path, found: rest.join(" ") }];
                case "firewall":
                case "backup":
                case "unfinished":
                    return [{ kind }];
                default:
                    return [];
            }
        }),
        isEdited: all("edited").length > 0,
        otherTools: all("signed")
            .map(firstWord)
            .map(([path, words]) => ({ path, words: words.trim() })),
        dropIns: all("dropin"),
    };
}

function firstWord(line: string): readonly [string, string] {
    const end = line.indexOf(" ");
    return end < 0 ? [line, ""] : [line.slice(0, end), line.slice(end + 1)];
}

/** What the operator is told, a line each: none if all is as it was laid down. */
export function tellDrift(host: string, { drift, dropIns }: DriftSeen): readonly string[] {
    return [
        ...drift.flatMap((one) => linesOf(one).map((line, index) => (index === 0 ? `host "${host}": ${line}` : line))),
        ...dropIns.map(
            (path) => `warning: host "${host}": ${path} changes etcd's unit and is not pulumi-etcd's; it is left alone`,
        ),
    ];
}

function linesOf(drift: Drift): readonly string[] {
    switch (drift.kind) {
        case "content":
            return drift.difference.length > 0
                ? [
                      `${drift.path} was changed by hand; up puts it back:`,
                      ...drift.difference.map((line) => `    ${hide(line)}`),
                  ]
                : [`${drift.path} was changed by hand (not shown); up puts it back`];
        case "gone":
            return [`${drift.path} is gone; up puts it back`];
        case "mode":
            return [`${drift.path} has mode and owner ${drift.found}, wanted is ${drift.wanted}; up sets them`];
        case "data":
            return [`${drift.path} belongs to ${drift.found}, wanted is ${ETCD_USER}:${ETCD_USER}; up sets it`];
        case "firewall":
            return ["the firewall's table is not in force, or would not be after a reboot; up loads it"];
        case "backup":
            return ["the timer of its backups does not run, or would not after a reboot; up starts it"];
        case "unfinished":
            return ["its files were not laid down to the end; up lays them down again"];
    }
}

/** Whatever somebody wrote into a file of ours: what looks like a secret stays where it is. */
export function hide(line: string): string {
    return line
        .replace(
            /((?:password|passwd|secret|token|credential|private|key)[a-z0-9_]*\s*[=:]\s*)(?!\/)\S.*$/i,
            "$1(hidden)",
        )
        .replace(/[A-Za-z0-9+/]{40,}/g, "(hidden)")
        .slice(0, 200);
}
