/** Scheduled backups of one member: the texts of their files, and what takes them away again. Pure. */
import { dirname } from "node:path/posix";

import { shellQuote } from "../quote";
import { plainClientUrls } from "./environment";
import type { HostPaths } from "./paths";
import { HEADER, httpsUrl, type HostSettings } from "./settings";
import { keepLast, REASON, saveVerified } from "./snapshot";
import { HARDENING } from "./unit";

/** When a host backs up its member, where to, and how many it keeps. */
export interface BackupSettings {
    /** As systemd's `OnCalendar=` takes it. */
    readonly schedule: string;
    readonly directory: string;
    readonly keep: number;
}

/** The files of one host's backups. */
export interface BackupFiles {
    readonly script: string;
    readonly unit: string;
    readonly timer: string;
}

export function renderBackup(settings: HostSettings, backup: BackupSettings): BackupFiles {
    return {
        script: renderScript(settings, backup),
        unit: renderUnit(settings, backup),
        timer: renderTimer(settings, backup),
    };
}

/**
 * Several clusters and hosts share the directory: each has one of its own in there, since a name that begins with "a-b" may be that of the
 * cluster "a" or of "a-b".
 */
function renderScript(settings: HostSettings, { directory, keep }: BackupSettings): string {
    const { paths, cluster, name, releaseDir, address, clientPort, version, isPlain } = settings;
    const clientUrl = httpsUrl(address, clientPort);
    // One that serves both is asked as all others are.
    const endpoint = isPlain ? plainClientUrls(version, clientUrl).at(-1)! : clientUrl;
    return `${HEADER}
# Backs up the member of this host, and keeps the last ${keep}.
set -eu
umask 077
${REASON}
fail() { printf 'no backup was made: %s\\n' "$1" >&2; exit 1; }
${saveVerified(paths, releaseDir, endpoint)}

directory=${shellQuote(`${directory}/${cluster}/${name}`)}
made=${shellQuote(paths.backupsMade)}
if [ "\${1:-}" = prepare ]; then
    # What is mounted there as a rule may not be, and what is below it is another disk.
    for place in ${placesAlong(`${directory}/${cluster}/${name}`).map(shellQuote).join(" ")}; do
        mount=$(systemd-escape --path --suffix=mount "$place")
        [ "$(systemctl show --property LoadState --value "$mount")" = loaded ] || continue
        systemctl start "$mount" || fail "$place is not mounted: see systemctl status $mount"
    done
    umask 022
    mkdir -p -m 0700 ${shellQuote(dirname(paths.backupsMade))} || : # It says so when it is needed.
    mkdir -p -m 0700 ${shellQuote(directory)} || fail "there is no ${directory}, and it can't be made"
    exit
fi
exec 8<"$0"
flock -n 8 || fail "another one is being made"
# A run that was cut off leaves no more than what the next one replaces.
part=$directory/backup.part
trap 'rm -f "$part" "$part.part"' EXIT
trap 'fail "it was stopped, or had not ended within an hour"' HUP INT TERM

state=$(systemctl is-active ${paths.unit}.service) || fail "${paths.unit}.service is $state: start it, or run pulumi up"
mkdir -p "$directory" || fail "the directory $directory can't be made"
rm -f "$part" "$part.part"
said=$(save_verified "$part" 2>&1) || {
    fail "$(reason "$said"); older ones in $directory are kept"
}
file=$directory/$(date -u +%Y%m%dT%H%M%S.%3NZ).db
noted=
{ echo "\${file##*/}" >>"$made" && sync "$made" && noted=yes; } 2>/dev/null || :
mv -T "$part" "$file"
sync "$directory"
echo "$file"
[ -n "$noted" ] || { echo "warning: no older backup was removed: $made can't be written" >&2; exit; }

# The new one stays, whatever the clock was before, and so do those that were not made here since this cluster began: of one that had its
# name before, or of a host that has the same name on a shared file system.
${keepLast('"$directory"', keep, 'grep -xFf "$made"')}
ls -1 "$directory" | grep -xFf "$made" >"$made.new"
mv -T "$made.new" "$made"
`;
}

/** `/srv`, `/srv/backup`, … */
function placesAlong(directory: string): readonly string[] {
    const names = directory.split("/").slice(1);
    return names.map((_, index) => `/${names.slice(0, index + 1).join("/")}`);
}

/**
 * A host whose member never joined has none to back up; one that is stopped is a backup that fails, as is a mount that is gone: a unit that
 * requires it would not be started, and so would not fail.
 */
function renderUnit({ paths, cluster }: HostSettings, { directory }: BackupSettings): string {
    return [
        HEADER,
        "[Unit]",
        `Description=Backup of the etcd member of ${cluster}`,
        `After=${paths.unit}.service`,
        `ConditionPathExists=${paths.membershipEnv}`,
        "",
        "[Service]",
        "Type=oneshot",
        // With all rights: what is around the directory is not to be written to by the backup itself.
        `ExecStartPre=+/bin/sh ${paths.backupScript} prepare`,
        `ExecStart=/bin/sh ${paths.backupScript}`,
        "TimeoutStartSec=3600",
        "Nice=19",
        "IOSchedulingPriority=7",
        // Systemd looks for them before ExecStartPre, too, and must not mind if they are not there yet.
        `ReadWritePaths=-${directory} -${dirname(paths.backupsMade)}`,
        ...HARDENING,
        // The member's certificate is etcd's alone.
        "CapabilityBoundingSet=CAP_DAC_OVERRIDE",
        "",
    ].join("\n");
}

function renderTimer({ cluster }: HostSettings, { schedule }: BackupSettings): string {
    return `${HEADER}
[Unit]
Description=Scheduled backups of the etcd member of ${cluster}

[Timer]
OnCalendar=${schedule}
# One that was due while the host was off is made at its next start.
Persistent=true
# Members need not be read all at once.
RandomizedDelaySec=60

[Install]
WantedBy=timers.target
`;
}

/** Takes the units and the script away, if they are there and ours. Backups stay. */
export function removeBackup(paths: HostPaths): string {
    const { backupUnit, backupUnitFile, backupTimerFile, backupScript, backupsMade } = paths;
    const copies = [backupUnitFile, backupTimerFile, backupScript].map(
        (file) => `${paths.asStaged}/${file.slice(file.lastIndexOf("/") + 1)}`,
    );
    return `removed=
for file in ${[backupTimerFile, backupUnitFile].map(shellQuote).join(" ")}; do
    grep -qsxF ${shellQuote(HEADER)} "$file" || continue
    systemctl --quiet disable --now "\${file##*/}" 2>/dev/null || :
    rm -f "$file"
    removed=yes
done
if [ -n "$removed" ]; then
    rm -f /var/lib/systemd/timers/stamp-${backupUnit}.timer
    systemctl daemon-reload
    systemctl reset-failed ${backupUnit}.service 2>/dev/null || :
fi
rm -f ${[backupScript, ...copies, backupsMade, `${backupsMade}.new`].map(shellQuote).join(" ")}
rmdir ${shellQuote(dirname(backupsMade))} 2>/dev/null || :`;
}
