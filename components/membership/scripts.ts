/** What is said to a host's shell. Pure: texts only. Each script can be run again, and each leaves whole files behind. */
import { hostOfUrl, isAddress, portOfUrl } from "../address";
import { takeoverNote } from "../adoption/foreign";
import { removeDropIns } from "../adoption/scripts";
import type { HostPaths } from "../host/paths";
import { ETCD_USER, HEADER } from "../host/settings";
import { removeBackup } from "../host/backup";
import { renderPeers } from "../host/firewall";
import { removeReleases } from "../host/removeReleases";
import { keepLast, saveVerified } from "../host/snapshot";
import { hasLog } from "../host/writeAheadLog";
import { shellQuote } from "../quote";
import type { HostSeen, Identity } from "./types";

/** Writes files for etcd to read; they are on the disk when it ends. */
function write(texts: Readonly<Record<string, string>>): string {
    const files = Object.keys(texts).map(shellQuote).join(" ");
    const prints = Object.entries(texts).map(([path, text]) => `printf %s ${shellQuote(text)} > ${shellQuote(path)}`);
    return [
        `( umask 077; ${prints.join("; ")} )`,
        `chown root:${ETCD_USER} ${files}`,
        `chmod 0640 ${files}`,
        `sync ${files}`,
    ].join("\n");
}

/** Who a joining member's peers are. etcd looks at it only while its data directory is empty. */
export interface MembershipFile {
    readonly initialCluster: string;
    readonly initialClusterState: "new" | "existing";
}

function renderMembership({ initialCluster, initialClusterState }: MembershipFile): string {
    return [
        HEADER,
        `ETCD_INITIAL_CLUSTER=${initialCluster}`,
        `ETCD_INITIAL_CLUSTER_STATE=${initialClusterState}`,
        "",
    ].join("\n");
}

function renderIdentity({ clusterToken, clusterId, memberId }: Identity): string {
    const lines = [
        `token=${clusterToken}`,
        ...(clusterId ? [`cluster=${clusterId}`] : []),
        ...(memberId ? [`member=${memberId}`] : []),
    ];
    return [HEADER, ...lines, ""].join("\n");
}

/** Written beside their places, then renamed: a loss of power leaves the old one of each, the new one or none. They may be there already. */
export function writeMembership(paths: HostPaths, file: MembershipFile, identity: Identity): string {
    const [told, known] = [renderMembership(file), renderIdentity(identity)];
    const [env, id] = [paths.membershipEnv, paths.identity];
    return `
if [ "$(cat ${shellQuote(env)} ${shellQuote(id)} 2>/dev/null)" != ${shellQuote(`${told}${known}`.trimEnd())} ]; then
${write({ [`${env}.new`]: told, [`${id}.new`]: known })}
mv -f ${shellQuote(`${env}.new`)} ${shellQuote(env)}
mv -f ${shellQuote(`${id}.new`)} ${shellQuote(id)}
fi`;
}

/**
 * Lets addresses in at once; the table is replaced in one transaction, or stays as it was. The file, by which later runs judge, takes its
 * place only when what it says is in force.
 */
export function writePeers(paths: HostPaths, addresses: readonly string[]): string {
    const beside = `${paths.peers}.new`;
    return [
        "set -eu",
        write({ [beside]: renderPeers(addresses) }),
        `table=$(sed ${shellQuote(`s|include "${paths.peers}"|include "${beside}"|`)} ${shellQuote(paths.firewall)})`,
        `printf '%s\\n' "$table" | nft -f -`,
        `mv -f ${shellQuote(beside)} ${shellQuote(paths.peers)}`,
    ].join("\n");
}

/** Links to a generation and puts its unit in place. Starts nothing. */
export function activate(paths: HostPaths, generation: string): string {
    const directory = shellQuote(`${paths.generations}/${generation}`);
    const [link, unit] = [shellQuote(paths.current), shellQuote(paths.unitFile)];
    return `
[ -d ${directory} ] || { echo "generation ${generation} is not on this host: its files were not staged" >&2; exit 1; }
binary=$(sed -n 's/^ExecStart=//p' ${directory}/etcd.service)
[ -x "$binary" ] || { echo "$binary is gone, which generation ${generation} starts: run pulumi up again, which installs it" >&2; exit 1; }
cp -f ${directory}/etcd.service ${unit}.new
chmod 0644 ${unit}.new
sync ${unit}.new
mv -f ${unit}.new ${unit}
ln -sfn ${shellQuote(`generations/${generation}`)} ${link}.new
mv -Tf ${link}.new ${link}
systemctl daemon-reload`;
}

/** Makes the data directory, unless it is there. */
export function makeDataDir(paths: HostPaths): string {
    const data = shellQuote(paths.dataDir);
    return `[ -d ${data} ] || { mkdir -p "$(dirname ${data})"; install -d -m 0700 -o ${ETCD_USER} -g ${ETCD_USER} ${data}; }`;
}

/** Its unit starts only where this file is. A member with data needs nothing of what it says, and one without does not start if it is empty. */
function haveMembership({ membershipEnv }: HostPaths): string {
    const file = shellQuote(membershipEnv);
    return `[ -e ${file} ] || ( umask 077; : > ${file} )`;
}

/**
 * Enabled, so that a reboot brings it back; started without waiting, since a member may be ready long after it takes part. What ran, or
 * is tried again and again, is ended before: while it ends, it would look stopped.
 */
export function start(paths: HostPaths, unit: HostSeen["unit"]): string {
    const enable = `systemctl enable --quiet --no-reload`;
    const begin =
        unit === "inactive" || unit === "absent"
            ? `${enable} --now --no-block ${paths.unit}.service`
            : `${enable} ${paths.unit}.service
systemctl reset-failed ${paths.unit}.service 2>/dev/null || true
timeout 50 systemctl stop ${paths.unit}.service 2>/dev/null || true
systemctl restart --no-block ${paths.unit}.service`;
    return `
${makeDataDir(paths)}
${haveMembership(paths)}
${begin}`;
}

/**
 * The same, for a member that starts without a quorum: waits, a moment only, until it serves its peers. Before that, each compares its data
 * with that of one peer after the other (etcd server/embed/etcd.go, server/etcdserver/corrupt.go: InitialCheck), and waits 7 s for each
 * that is at the same: seven that start at once may find each other after 42 s. Where etcd logs less, only the moment passes.
 */
export function startAndServe(paths: HostPaths, unit: HostSeen["unit"]): string {
    const invocation = `$(systemctl show --value --property InvocationID ${paths.unit}.service)`;
    return `
before=${invocation}
${start(paths, unit)}
tries=50
while [ $tries -gt 0 ]; do
    now=${invocation}
    if [ "$now" != "$before" ] && journalctl --quiet --output cat "_SYSTEMD_INVOCATION_ID=$now" | grep -qF '"serving peer traffic"'; then break; fi
    sleep 0.1
    tries=$((tries - 1))
done`;
}

/** For who founds or joins: its unit starts without data. */
export function allowEmptyStart(paths: HostPaths): string {
    return `: > ${shellQuote(paths.mayStartEmpty)}`;
}

/** For who has data, or is about to vote: its unit never starts without its data again. */
export function forbidEmptyStart(paths: HostPaths): string {
    return `rm -f ${shellQuote(paths.mayStartEmpty)}`;
}

/**
 * Waits, a moment only, until a joining member has checked its peers: it makes its write-ahead log right after that (etcd
 * server/etcdserver/bootstrap.go), and from then on waits for nobody. Joining members that start before that wait for each other.
 * With a log, it needs to start without one no more.
 */
export function awaitLog(paths: HostPaths): string {
    return `
tries=200
until ${hasLog(shellQuote(paths.dataDir))} || [ $tries = 0 ]; do sleep 0.01; tries=$((tries - 1)); done
if ${hasLog(shellQuote(paths.dataDir))}; then ${forbidEmptyStart(paths)}; fi`;
}

/** Restarts what runs, and waits for etcd's own word that it is ready. If it was taken over once, that is over. */
export function restart(paths: HostPaths, seconds: number): string {
    return `
rm -f ${shellQuote(takeoverNote(paths))}
systemctl reset-failed ${paths.unit}.service 2>/dev/null || true
code=0
timeout ${seconds} systemctl restart ${paths.unit}.service || code=$?
[ $code -ne 124 ] || echo "etcd was restarted, and did not say within ${seconds} s that it is ready" >&2
exit $code`;
}

/** Stops for good: not started again by a reboot. */
export function stop(paths: HostPaths): string {
    return `
systemctl disable --quiet ${paths.unit}.service 2>/dev/null || true
timeout 90 systemctl stop ${paths.unit}.service 2>/dev/null || systemctl kill --signal=KILL ${paths.unit}.service 2>/dev/null || true
if systemctl is-active --quiet ${paths.unit}.service; then echo "${paths.unit}.service does not stop" >&2; exit 1; fi`;
}

/**
 * Moves data aside, beside its place, and prints where to. A data directory that is a file system of its own can't be renamed: there,
 * what etcd wrote moves to a directory within. Nothing is ever lost.
 */
export function setAside(paths: HostPaths): string {
    const data = shellQuote(paths.dataDir);
    return `
now=$(date -u +%Y%m%dT%H%M%SZ)
aside=
if [ -n "$(ls -A ${data}/member 2>/dev/null)" ]; then
    if mountpoint -q ${data}; then
        aside=${data}/set-aside/$now
        mkdir -p ${data}/set-aside
        mv -T ${data}/member "$aside"
    else
        aside=${data}.$now
        mv -T ${data} "$aside"
    fi
fi
rm -f ${[paths.identity, paths.membershipEnv, paths.mayStartEmpty].map(shellQuote).join(" ")}
[ -z "$aside" ] || echo "data moved to $aside"`;
}

/** Whatever lies there before a member's first start is of another life, also what is left of data that has lost its log. */
export function setRemainsAside(paths: HostPaths): string {
    return `if ! [ -e ${shellQuote(paths.mayStartEmpty)} ] && ! ${hasLog(shellQuote(paths.dataDir))}; then${setAside(paths)}\nfi`;
}

/** For those who declared that it shall go. The directory may be a file system of its own. */
export function deleteData(paths: HostPaths): string {
    const data = shellQuote(paths.dataDir);
    return `[ ! -d ${data} ] || find ${data}/ -mindepth 1 -maxdepth 1 ! -name set-aside ! -name lost+found -exec rm -rf {} +`;
}

/**
 * Removes all that this package placed for one cluster, first what says that data there is ours; but no data, no backup, no user, and no
 * release that another cluster's unit runs.
 */
export function removeFiles(paths: HostPaths): string {
    const unitDir = "/etc/systemd/system";
    const data = shellQuote(paths.dataDir);
    return `
rm -f ${shellQuote(paths.identity)}
if [ -f ${shellQuote(paths.firewallUnitFile)} ]; then
    systemctl disable --quiet --now ${paths.firewallUnit}.service 2>/dev/null || true
fi
/usr/sbin/nft delete table inet ${paths.firewallTable} 2>/dev/null || true
${removeBackup(paths)}
rm -f ${shellQuote(paths.unitFile)} ${shellQuote(paths.firewallUnitFile)} ${shellQuote(paths.firewallDropIn)} ${unitDir}/multi-user.target.wants/${paths.unit}.service
rm -rf ${[paths.root, paths.runtime, paths.staging, paths.restored, paths.restoredWithin].map(shellQuote).join(" ")}
${removeDropIns(paths)}
rmdir "$(dirname ${shellQuote(paths.root)})" 2>/dev/null || true
rmdir ${data} 2>/dev/null || true
rmdir "$(dirname ${shellQuote(paths.firewallDropIn)})" 2>/dev/null || true
${removeReleases(paths)}
systemctl daemon-reload
systemctl reset-failed ${paths.unit}.service ${paths.firewallUnit}.service 2>/dev/null || true`;
}

/** How many snapshots taken before removals a host keeps. */
const SNAPSHOTS_KEPT = 5;

/** A host that is declared no more has the release that its unit runs, which may not be the one that is declared. */
function releaseThatRuns(paths: HostPaths): string {
    return `release=$(sed -n 's|^ExecStart=\\(.*\\)/etcd$|\\1|p' ${shellQuote(paths.current)}/etcd.service)\n`;
}

/**
 * Takes a snapshot with the member's own certificate, has it checked, keeps the last few; prints its path.
 * @param releaseDir undefined for the one of the etcd that runs
 */
export function snapshot(paths: HostPaths, releaseDir: string | undefined, endpoint: string): string {
    const directory = shellQuote(`${paths.dataDir}.snapshots`);
    return `
set -eu
umask 077
${releaseDir === undefined ? releaseThatRuns(paths) : ""}${saveVerified(paths, releaseDir ?? "$release", endpoint)}
mkdir -p ${directory}
# What a run left that was killed; nobody else takes one now.
rm -f ${directory}/*.part ${directory}/*.part.part
# Two removals may follow each other within a second.
file=${directory}/$(date -u +%Y%m%dT%H%M%S.%3NZ).db
trap 'rm -f "$file.part" "$file.part.part"' EXIT
# Without it, a signal would end the shell with no trap run.
trap 'exit 129' HUP INT TERM
save_verified "$file.part"
mv "$file.part" "$file"
sync ${directory}
${keepLast(directory, SNAPSHOTS_KEPT)}
echo "$file"`;
}

/**
 * Ends the connections between a member of this host and one that does not answer any more. A leader that removes it would else wait for
 * what it is writing there, for up to 5 s a connection, and send nothing to anybody meanwhile: an election follows (etcd rafthttp:
 * peer.stop waits for its writers under the transport's lock). Where iproute2 or the kernel can't do it, it is left.
 *
 * @param peerPort of this host's member
 */
export function dropConnections(peerPort: number, silent: readonly string[]): string {
    const urls = silent.filter((url) => isAddress(hostOfUrl(url)));
    const lines = urls.map((url) => {
        const filter = `'( sport = :${peerPort} or dport = :${portOfUrl(url)} )'`;
        return `ss --tcp --kill dst ${shellQuote(new URL(url).hostname)} and ${filter} >/dev/null 2>&1 || true`;
    });
    return lines.join("\n");
}
