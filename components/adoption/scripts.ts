/** What is said to a host's shell when its etcd is taken over. Pure: texts only. */
import type { HostPaths } from "../host/paths";
import { ETCD_USER, HEADER } from "../host/settings";
import { hasLog } from "../host/writeAheadLog";
import { shellQuote } from "../quote";
import type { ForeignSeen } from "../membership/types";
import { takeoverNote } from "./foreign";

/** A drop-in keeps a unit of somebody else's from starting beside ours: whoever starts it, and after a reboot as well. */
function dropIn(paths: HostPaths, unit: string): string {
    return `/etc/systemd/system/${unit}.d/${paths.unit}.conf`;
}

/** Copies the certificates that the member has shown so far to where ours looks for them. Its authorities are in the generation. */
export function copyLeaves(paths: HostPaths, files: Readonly<Record<string, string>>): string {
    return Object.entries(files)
        .map(([name, from]) => {
            const to = shellQuote(`${paths.pki}/${name}`);
            return `install -m 0600 -o ${ETCD_USER} -g ${ETCD_USER} ${shellQuote(from)} ${to}.new\nsync ${to}.new\nmv -f ${to}.new ${to}`;
        })
        .join("\n");
}

/** For a member whose peers call it without TLS: its peer port goes on as it was, until its peers are told otherwise. */
export function keepPlainPeers(paths: HostPaths, plainPeerUrl: string): string {
    const file = shellQuote(paths.plainPeers);
    return `printf '%s\\n' ${shellQuote(HEADER)} ${shellQuote(`ETCD_LISTEN_PEER_URLS=${plainPeerUrl}`)} > ${file}.new
chown root:${ETCD_USER} ${file}.new
chmod 0640 ${file}.new
sync ${file}.new
mv -f ${file}.new ${file}`;
}

/** Restarts a member with TLS on its peer port. What says that it is not done yet goes last. */
export function securePeers(paths: HostPaths, restart: string): string {
    const [file, todo] = [paths.plainPeers, paths.plainPeersEnding].map(shellQuote);
    return `
[ ! -e ${file} ] || mv -f ${file} ${todo}
( ${restart} )
rm -f ${todo}`;
}

/** Notes what is taken over, so that a run which dies after it was stopped leaves the next one what it needs. */
export function note(paths: HostPaths, { unit, dataDir }: ForeignSeen): string {
    const file = shellQuote(takeoverNote(paths));
    return `printf '%s\\n' ${[`unit=${unit}`, `data=${dataDir}`].map(shellQuote).join(" ")} > ${file}.new
echo "owner=$(stat -c %u:%g ${shellQuote(dataDir)})" >> ${file}.new
sync ${file}.new
mv -f ${file}.new ${file}`;
}

/**
 * Stops the unit that was set up by hand, for good, gives our unit its data, and starts that. When ours does not come up, the old one runs
 * again as it did, unless there is no data: it could found a cluster anew. Each part can be repeated; the note is there until ours has
 * started.
 */
export function replaceUnit(paths: HostPaths, { unit, dataDir }: ForeignSeen, seconds: number): string {
    const [theirs, drop, file] = [unit, dropIn(paths, unit), takeoverNote(paths)].map(shellQuote) as [
        string,
        string,
        string,
    ];
    const [old, data] = [dataDir, paths.dataDir].map(shellQuote) as [string, string];
    const isMoved = dataDir !== paths.dataDir;
    return `
owner=$(sed -n 's/^owner=//p' ${file})
mkdir -p "$(dirname ${drop})"
printf '%s\\n' ${shellQuote(HEADER)} ${shellQuote(`# ${paths.unit}.service has its data and its ports.`)} '[Unit]' ${shellQuote(`ConditionPathExists=!${paths.current}`)} > ${drop}
sync ${drop}
systemctl daemon-reload
${stopForGood(unit)}
${
    isMoved
        ? `if [ -d ${old}/member ] && ! [ -d ${data}/member ]; then
    [ "$(stat -c %d ${old})" = "$(stat -c %d "$(dirname ${data})")" ] || { echo "${dataDir} is on another file system than ${paths.dataDir}" >&2; exit 1; }
    mv -T ${old} ${data}
fi`
        : ":"
}
chown -R ${ETCD_USER}:${ETCD_USER} ${data}
chmod 0700 ${data}
systemctl enable --quiet --no-reload ${paths.unit}.service
systemctl reset-failed ${paths.unit}.service 2>/dev/null || true
code=0
timeout ${seconds} systemctl restart ${paths.unit}.service || code=$?
if [ $code = 0 ]; then rm -f ${file}; exit 0; fi
journalctl --unit ${paths.unit}.service --output cat --no-pager --lines 5 >&2 || : # Nobody may be there to read it.
${hasLog(data)} || { echo "there is no etcd data in ${paths.dataDir}, so that neither ${paths.unit}.service nor ${unit} is started" >&2; exit 1; }
systemctl disable --quiet ${paths.unit}.service
timeout 90 systemctl stop ${paths.unit}.service || systemctl kill --signal=KILL ${paths.unit}.service
${isMoved ? `mv -T ${data} ${old}` : ":"}
chown -R "$owner" ${old}
rm -f ${drop} ${[paths.unitFile, paths.current, paths.membershipEnv, paths.identity].map(shellQuote).join(" ")}
systemctl daemon-reload
systemctl enable --quiet ${theirs}
if systemctl start ${theirs}; then
    rm -f ${file} ${shellQuote(paths.plainPeers)}
    echo "etcd did not start as ${paths.unit}.service; ${unit} runs again as before: see journalctl -u ${paths.unit}" >&2
else
    echo "etcd did not start as ${paths.unit}.service, and ${unit} does not start either: see journalctl -u ${unit}, then systemctl start ${unit}" >&2
fi
exit 1`;
}

/** Of a member that is none any more. */
export function stopForGood(unit: string): string {
    const theirs = shellQuote(unit);
    return `systemctl disable --quiet ${theirs} 2>/dev/null || true
timeout 90 systemctl stop ${theirs} || { echo "${unit} does not stop within 90 s: end it, and run pulumi up again" >&2; exit 1; }`;
}

/** What was noted for a take-over that has come to nothing. */
export function forget(paths: HostPaths): string {
    return `rm -f ${[takeoverNote(paths), paths.plainPeers, paths.plainPeersEnding].map(shellQuote).join(" ")}`;
}

/** On a host that goes: what kept the old unit from starting. It stays disabled. What somebody else named after our unit is theirs. */
export function removeDropIns(paths: HostPaths): string {
    return `
for file in /etc/systemd/system/*.service.d/${paths.unit}.conf; do
    grep -qsxF ${shellQuote(HEADER)} "$file" || continue
    rm -f "$file"
    rmdir "$(dirname "$file")" 2>/dev/null || true
done`;
}
