/** What is asked of a host before anything is changed on any: the question as a script, and its answer as plain values. Pure. */
import { together, type Authorities } from "../adoption/authorities";
import { foreignScript, interruptedScript, parseForeign, type ForeignEtcd } from "../adoption/foreign";
import { TAKING_OVER } from "../host/environment";
import { EDITED } from "../host/generation";
import { renderInstallCheck } from "../host/install";
import { CANDIDATE } from "../host/installDebian";
import { hostPaths, type HostPaths } from "../host/paths";
import { parseReleaseName, renderArchivePeek, type ReleaseName } from "../host/release";
import { HEADER } from "../host/settings";
import { MARK_TAKING_OVER } from "../host/stage";
import { shellQuote } from "../quote";
import { driftScript, parseDrift, type DriftSeen } from "./drift";
import type { ProvisionHost, ProvisionInputs } from "./inputs";
import { parseRotation, rotationScript, type RotationSeen } from "./rotation";

export interface Facts extends DriftSeen, RotationSeen {
    /** As `uname` names it. */
    readonly kernel: string | undefined;
    /** As `uname -m` names it. */
    readonly machine: string | undefined;
    readonly runsSystemd: boolean;
    /** The programs that were found, of those that were asked for. */
    readonly tools: ReadonlySet<string>;
    readonly clockSeconds: number;
    /** Free space where something of ours is to lie, by that place. */
    readonly freeMiB: Readonly<Record<Place, FreeSpace | undefined>>;
    /** Empty where it can't be told. */
    readonly addresses: readonly string[];
    /** Whoever listens on one of the cluster's ports, the cluster's own unit left out. */
    readonly listeners: readonly Listener[];
    /** Other clusters of ours that are to listen there, running or not. */
    readonly claims: readonly Claim[];
    /** Data directories of other clusters of ours that hold this one's, or lie in it. */
    readonly overlaps: readonly Overlap[];
    /** The token of the cluster that has files of ours here. */
    readonly token: string | undefined;
    /** Which stack's state gave them, if it said so. */
    readonly owner: string | undefined;
    /** It was given files to take over what runs on it. */
    readonly isTakenOver: boolean;
    /** What runs on it, or would be started, trusts this stack's authorities besides those of old. */
    readonly trustsBoth: boolean;
    /** What runs on it, or would be started, serves clients without TLS. */
    readonly isPlain: boolean;
    /** Its peer port has no TLS yet. */
    readonly hasPlainPeers: boolean;
    /** A take-over was cut off between the end of theirs and the start of ours: its data is as theirs left it. */
    readonly isInterrupted: boolean;
    /** An etcd that was set up by hand, where ours is to run. Only looked for to take it over. */
    readonly foreign: ForeignEtcd | undefined;
    /** Whom its member trusts, where files of ours say so. */
    readonly authorities: Authorities | undefined;
    readonly hasOurData: boolean;
    /** Where its member is for its peers, by the configuration that runs, or would be started. */
    readonly peerUrl: string | undefined;
    /** Where that configuration has its data. */
    readonly dataDir: string | undefined;
    /** Where the declared data directory leads to, if it is a link. */
    readonly dataLink: string | undefined;
    /** What is mounted somewhere within it. */
    readonly mounts: readonly string[];
    /** What lies in the data directory, of whomever; some of it, if it is much. */
    readonly data: readonly string[];
    /** Files that stand in our way and that we did not make. */
    readonly foreignFiles: readonly string[];
    /** Somebody runs an etcd of the distribution's. Asked where that one would be installed only. */
    readonly runsDebiansEtcd: boolean;
    /** Its systemd can tell no times from the schedule of backups. */
    readonly refusesSchedule: boolean;
    /** The binaries are there. */
    readonly isInstalled: boolean;
    /** What the archive that it is to fetch says about itself, if it does. */
    readonly release: ReleaseName | undefined;
    /** The version that the distribution's packages offer, by lists that may be old. Asked where that one would be installed only. */
    readonly offered: string | undefined;
    /** Why it can't fetch that archive. */
    readonly unfetched: string | undefined;
    /** Our files are there. */
    readonly isStaged: boolean;
}

export type Place = "data" | "releases";

export interface FreeSpace {
    /** The directory, or the one that it would be made in. */
    readonly directory: string;
    readonly mebibytes: number;
}

export interface Listener {
    readonly port: string;
    /** `10.0.0.1:2379`, `*:2379`. */
    readonly at: string;
    /** `nginx (process 812)` */
    readonly process: string;
}

export interface Claim {
    readonly cluster: string;
    readonly port: string;
}

export interface Overlap {
    readonly cluster: string;
    readonly directory: string;
}

/** With the package that has each. */
export const TOOLS: Readonly<Record<string, string>> = {
    ss: "iproute2",
    flock: "util-linux",
    cmp: "diffutils",
    useradd: "passwd",
    getent: "libc-bin",
    tar: "tar",
    gzip: "gzip",
    curl: "curl",
    wget: "wget",
    "apt-get": "apt",
};

/** Where units, which know no PATH, look for it. */
const NFT = "/usr/sbin/nft";

/** Those that are ours to have. Where no backup is declared, somebody's own may have those names. */
function unitFiles(paths: HostPaths, backup = false): readonly string[] {
    const always = [paths.unitFile, paths.firewallUnitFile, paths.firewallDropIn];
    return backup ? [...always, paths.backupUnitFile, paths.backupTimerFile] : always;
}

/** A script for root. It answers in lines of `key=value`, and reads only. */
export function factsScript(inputs: ProvisionInputs, host: ProvisionHost): string {
    const paths = hostPaths(inputs.cluster, inputs.dataDir);
    const ours = HEADER.split(":")[0] ?? HEADER;
    const [data, root, mark, identity] = [paths.dataDir, paths.root, paths.mark, paths.identity].map(shellQuote);
    const [generations, current] = [paths.generations, paths.current].map(shellQuote);
    const [plain, ending] = [paths.plainPeers, paths.plainPeersEnding].map(shellQuote);
    // Each program that is started costs a host milliseconds, and this is asked at every run: what the shell can do, it does.
    return `
echo "clock=$(date +%s)"
echo "kernel=$(uname -s)"
echo "machine=$(uname -m)"
[ -d /run/systemd/system ] && echo systemd=yes
for tool in ${Object.keys(TOOLS).join(" ")}; do command -v $tool >/dev/null && echo "tool=$tool"; done
[ -x ${NFT} ] && echo tool=nft
existing() {
    place=$1
    while ! [ -d "$place" ]; do place=\${place%/*}; place=\${place:-/}; done
}
existing ${data}; data=$place
existing ${shellQuote(paths.releases)}; releases=$place
df -Pk "$data" "$releases" | {
    read -r _
    for name in data releases; do
        [ $name = data ] && place=$data || place=$releases
        read -r _ _ _ kibibytes _ && echo "free=$name $((kibibytes / 1024)) $place"
    done
}
ip -o address show 2>/dev/null | while read -r _ _ _ address _; do echo "address=\${address%%/*}"; done
is_ours() {
    while read -r line; do
        case $line in */${paths.unit}.service*) return 0 ;; esac
    done <"/proc/$1/cgroup"
    return 1
} 2>/dev/null
ss -Hltnp "sport = :${host.peerPort} or sport = :${host.clientPort}" 2>/dev/null | while read -r _ _ _ at _ who; do
    pid=\${who#*pid=}; pid=\${pid%%,*}
    is_ours "$pid" || echo "listener=\${at##*:} $at $who"
done
for file in /etc/etcd/*/current/etcd.env; do
    other=\${file#/etc/etcd/}; other=\${other%%/*}
    [ "$other" = ${shellQuote(inputs.cluster)} ] && continue
    for port in ${host.peerPort} ${host.clientPort}; do
        grep -qsE "^ETCD_LISTEN_(PEER|CLIENT)_URLS=.*:$port$" "$file" && echo "claim=$port $other"
    done
    while IFS= read -r line; do
        case $line in ETCD_DATA_DIR=*) theirs=\${line#*=} ;; *) continue ;; esac
        case $theirs/ in ${data}/*) echo "overlap=$other $theirs" ;; *) case ${data}/ in "$theirs"/*) echo "overlap=$other $theirs" ;; esac ;; esac
    done <"$file"
done
[ -f ${identity} ] && echo data=ours
[ -L ${data} ] && echo "dataLink=$(readlink -f ${data})"
if [ -d ${data} ] && within=$(cd ${data} && pwd -P); then
    while read -r _ _ _ _ mount _; do case $mount in "$within"/*) echo "mount=$mount" ;; esac; done </proc/self/mountinfo
fi
[ -d ${data} ] || ! [ -e ${data} ] || echo "entry=${paths.dataDir.split("/").at(-1) ?? ""}"
count=0
for entry in ${data}/* ${data}/.[!.]* ${data}/..?*; do
    [ -e "$entry" ] || [ -L "$entry" ] || continue
    echo "entry=\${entry##*/}"
    count=$((count + 1)); [ $count -lt 20 ] || break
done
[ -f ${identity} ] && while IFS= read -r line; do case $line in token=*) echo "$line" ;; esac; done <${identity}
[ -f ${mark} ] && { read -r _ && IFS= read -r line && echo "mark=$line" && IFS= read -r line && echo "owner=$line" && IFS= read -r line && echo "phase=$line"; } <${mark}
{ IFS= read -r running <${shellQuote(`${paths.runtime}/generation`)} || running=$(readlink ${current}); } 2>/dev/null
running=\${running##*/}
started=${generations}/"\${running#${EDITED}}"/etcd.env
grep -qsxF ${shellQuote(TAKING_OVER)} "$started" && echo trusts=both
[ -f "$started" ] && while IFS= read -r line; do case $line in ETCD_LISTEN_PEER_URLS=*) echo "peer=\${line#*=}" ;; ETCD_DATA_DIR=*) echo "dataDir=\${line#*=}" ;; esac; done <"$started"
${rotationScript(paths)}
[ -e ${plain} ] || [ -e ${ending} ] && echo plainPeers=yes
${interruptedScript(paths)}
${inputs.adopt ? `grep -qs '^ETCD_LISTEN_CLIENT_URLS=http:' ${current}/etcd.env && echo plain=clients\nsed 's/^/clientCa=/' ${current}/client-ca.crt 2>/dev/null\nsed 's/^/peerCa=/' ${current}/peer-ca.crt 2>/dev/null\n${foreignScript(paths, host)}` : ""}
for file in ${unitFiles(paths, inputs.backup).map(shellQuote).join(" ")}; do
    [ -e "$file" ] || continue
    # An empty one is what a loss of power may leave of ours.
    [ -f "$file" ] && ! [ -s "$file" ] && continue
    line=; IFS= read -r line <"$file"
    case $line in *${shellQuote(ours)}*) ;; *) echo "foreign=$file" ;; esac
done
isEmpty=yes
for entry in ${root}/* ${root}/.[!.]*; do
    if [ -e "$entry" ] || [ -L "$entry" ]; then isEmpty=; fi
done
[ -d ${root} ] || ! [ -e ${root} ] || isEmpty=
[ "$isEmpty" ] || [ -e ${mark} ] || [ -e ${mark}.new ] || echo foreign=${root}
${driftScript(paths, inputs.firewall)}
${inputs.install.source === "debian" ? "systemctl is-active --quiet etcd.service 2>/dev/null && echo etcd.service=active" : ""}
${inputs.backupSchedule === undefined ? "" : `command -v systemd-analyze >/dev/null && ! systemd-analyze calendar -- ${shellQuote(inputs.backupSchedule)} >/dev/null 2>&1 && echo schedule=refused`}
binaries=$( ${renderInstallCheck(inputs.install, inputs.version)} )
echo "binaries=$binaries"
${inputs.install.source === "url" ? `if [ "$binaries" = absent ]; then ( ${renderArchivePeek(inputs.install.url)} ); fi` : ""}
${inputs.install.source === "debian" ? `${CANDIDATE}\n[ "$binaries" = present ] || echo "offered=$(candidate 2>/dev/null)"` : ""}`;
}

/** Reads what the script of `factsScript` printed. */
export function parseFacts(answer: string): Facts {
    const lines = new Map<string, string[]>();
    for (const line of answer.split("\n")) {
        const cut = line.indexOf("=");
        if (cut > 0) lines.set(line.slice(0, cut), [...(lines.get(line.slice(0, cut)) ?? []), line.slice(cut + 1)]);
    }
    const all = (key: string): readonly string[] => lines.get(key) ?? [];
    const one = (key: string): string | undefined => lines.get(key)?.[0];
    const free = new Map(all("free").map(parseFree));
    return {
        kernel: one("kernel"),
        machine: one("machine"),
        runsSystemd: one("systemd") === "yes",
        tools: new Set(all("tool")),
        clockSeconds: Number(one("clock")),
        freeMiB: { data: free.get("data"), releases: free.get("releases") },
        addresses: all("address"),
        listeners: all("listener").map(parseListener),
        claims: all("claim").map((line) => {
            const [port = "", cluster = ""] = line.split(" ");
            return { port, cluster };
        }),
        overlaps: all("overlap").map((line) => {
            const [cluster = "", directory = ""] = line.split(" ");
            return { cluster, directory };
        }),
        token: one("token") ?? one("mark"),
        owner: one("owner") || undefined,
        isTakenOver: one("phase") === MARK_TAKING_OVER,
        trustsBoth: one("trusts") === "both",
        isPlain: one("plain") === "clients",
        hasPlainPeers: one("plainPeers") === "yes",
        isInterrupted: one("takeover") === "interrupted",
        foreign: parseForeign(answer),
        authorities: together([{ clientCa: all("clientCa").join("\n"), peerCa: all("peerCa").join("\n") }]),
        hasOurData: one("data") === "ours",
        peerUrl: one("peer"),
        dataDir: one("dataDir"),
        dataLink: one("dataLink"),
        mounts: all("mount"),
        data: all("entry"),
        foreignFiles: all("foreign"),
        runsDebiansEtcd: one("etcd.service") === "active",
        refusesSchedule: one("schedule") === "refused",
        isInstalled: one("binaries") === "present",
        release: parseReleaseName(one("archive") ?? ""),
        offered: one("offered") || undefined,
        unfetched: one("unfetched"),
        isStaged: one("mark") !== undefined,
        ...parseDrift(all),
        ...parseRotation(all),
    };
}

function parseFree(line: string): readonly [string, FreeSpace] {
    const [place = "", mebibytes = "", ...directory] = line.split(" ");
    return [place, { mebibytes: Number(mebibytes), directory: directory.join(" ") }];
}

function parseListener(line: string): Listener {
    const [port = "", at = "", ...who] = line.split(" ");
    const named = /\("([^"]+)",pid=(\d+)/.exec(who.join(" "));
    return { port, at, process: named ? `${named[1]} (process ${named[2]})` : "another process" };
}
