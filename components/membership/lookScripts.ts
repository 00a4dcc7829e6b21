/** What a host's shell is asked: texts only, which change nothing. */
import { hostOfUrl, portOfUrl } from "../address";
import { EDITED } from "../host/generation";
import type { HostPaths } from "../host/paths";
import { SNAPSHOT_PRINT } from "../host/snapshot";
import { hasLog } from "../host/writeAheadLog";
import { shellQuote } from "../quote";
import { MACHINE_SCRIPT } from "../remote/machines";

/** The last lines of a member's journal; what is older says nothing about what goes on now. */
export function lastLogLines(paths: HostPaths, lines: number): string {
    // journalctl's own --lines would count from where --since begins.
    return `journalctl --unit ${paths.unit}.service --since -15min --output cat --no-pager 2>/dev/null | tail -n ${lines}`;
}

/**
 * What etcd says of a write-ahead log whose records are not what was written, when it does not start for it: errors of its log package and
 * of the decoder (etcd server/storage/wal: wal.go, decoder.go, walpb/record.pb.go), under the words with which a start fails ("discovery
 * failed" up to 3.5), and the panics of Raft about a log that ends too early. "unexpected EOF" is none: etcd cuts such an end off by itself.
 */
export const DAMAGE = [
    "crc mismatch",
    "(bootstrap failed|discovery failed|cannot be repaired|unmarshal protobuf message failed).*(proto:|wal: |max entry size limit exceeded|unexpected block type)",
    "is out of range \\[(lastIndex|[0-9]+, )",
].join("|");

const CALL_SECONDS = 2;

/** Ends well where one of these takes a connection from this host. Every Debian has bash, which asks without another program. */
export function callsOne(urls: readonly string[]): string {
    const calls = urls.map((url) => {
        const place = `${shellQuote(hostOfUrl(url))} ${portOfUrl(url)}`;
        return `timeout ${CALL_SECONDS} bash -c 'exec 3<>"/dev/tcp/$0/$1"' ${place} 2>/dev/null`;
    });
    return calls.join(" || ");
}

/** One look at a host: lines of \`key=value\`, then two files, each line of theirs after its name. */
export function look(paths: HostPaths): string {
    return `
shown=$(systemctl show --property LoadState,ActiveState,ExecMainCode,ExecMainStatus,InvocationID ${paths.unit}.service) || exit
echo "$shown"
case $shown in
*ActiveState=active*) ;;
*)
    start=\${shown#*InvocationID=}
    journalctl --quiet --no-pager --output cat --lines 200 "_SYSTEMD_INVOCATION_ID=\${start%%
*}" 2>/dev/null |
        grep -qE ${shellQuote(DAMAGE)} && echo damaged=yes
    ;;
esac
[ -L /etc/systemd/system/multi-user.target.wants/${paths.unit}.service ] && echo enabled=yes
current=$(readlink ${shellQuote(paths.current)})
echo "current=\${current##*/}"
staged=; read -r staged 2>/dev/null <${shellQuote(paths.staged)}
echo "staged=$staged"
[ -n "$staged" ] && sed -n 's/^ETCD_LISTEN_PEER_URLS=/stagedPeerUrl=/p' ${shellQuote(paths.generations)}/"$staged"/etcd.env 2>/dev/null
sed -n 's/^ETCD_LISTEN_PEER_URLS=/currentPeerUrl=/p' ${shellQuote(paths.current)}/etcd.env 2>/dev/null
running=; read -r running 2>/dev/null <${shellQuote(`${paths.runtime}/generation`)}
echo "running=$running"
[ -n "$running" ] && sed -n 's/^# etcd /version=/p; s/^ETCD_MAX_LEARNERS=/maxLearners=/p; s/^ETCD_\\(NAME\\|LISTEN_[A-Z]*_URLS\\)=/serving:&/p' ${shellQuote(paths.generations)}/"\${running#${EDITED}}"/etcd.env 2>/dev/null
printf machine=; ${MACHINE_SCRIPT}
${hasLog(shellQuote(paths.dataDir))} && echo hasData=yes
${SNAPSHOT_PRINT}
for place in ${shellQuote(paths.restored)} ${shellQuote(paths.restoredWithin)}; do
    { IFS= read -r line && IFS= read -r print; } 2>/dev/null <"$place/complete" || continue
    snapshot=\${line%% *}
    # Another one may lie at that path by now. None does where it was moved aside with the data.
    if [ -e "$snapshot" ] || ${hasLog(shellQuote(paths.dataDir))}; then [ "$print" = "$(snapshot_print "$snapshot" 2>/dev/null)" ] || continue; fi
    echo "restored=$line"
done
[ -e ${shellQuote(paths.mayStartEmpty)} ] && echo mayStartEmpty=yes
[ -e ${shellQuote(paths.plainPeers)} ] || [ -e ${shellQuote(paths.plainPeersEnding)} ] && echo plainPeers=yes
show() { while IFS= read -r line || [ -n "$line" ]; do printf '%s:%s\\n' "$1" "$line"; done <"$2"; }
{
    show identity ${shellQuote(paths.identity)}
    show membership ${shellQuote(paths.membershipEnv)}
    show peers ${shellQuote(paths.peers)}
} 2>/dev/null`;
}
