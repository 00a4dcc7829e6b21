import { isFirewallInForce } from "./firewall";
import { EDITED } from "./generation";

/**
 * The part of the staging script that is the same for every host. File contents reach it as arguments of shell functions, which no
 * process list shows; `printf` is the shell's own.
 */
export const STAGE_FUNCTIONS = `set -eu
umask 077
unset CDPATH

# All that could stop us, before anything is changed.
check_host() {
    [ -d /run/systemd/system ] || fail "systemd does not run on this host: pulumi-etcd needs a host that systemd has booted"
    for tool in flock setpriv install cmp getent useradd groupadd systemctl; do
        command -v "$tool" >/dev/null || fail "the program $tool is missing on this host: install the package that has it"
    done
    if [ -n "$1" ] && ! [ -x /usr/sbin/nft ]; then
        fail "/usr/sbin/nft is missing on this host: install nftables, or declare the cluster with firewall: false"
    fi
}

# Several clusters on one host are staged one after the other: they share the user and /etc/etcd.
take_lock() {
    exec 9>/run/pulumi-etcd-stage.lock
    flock -w 120 9 || fail "another run has been staging files on this host for 2 minutes: wait for it, or end it" "$once_ended"
}

is_ours() {
    IFS= read -r first <"$1" || :
    case "$first" in "# Managed by pulumi-etcd"*) return 0;; *) return 1;; esac
}

# check_ours FILE...: besides those that every host may have.
check_ours() {
    for file in "$unit_file" "$firewall_unit_file" "$firewall_drop_in" "$@"; do
        if [ -e "$file" ] || [ -L "$file" ]; then
            # An empty one is what a loss of power may leave of ours.
            [ -f "$file" ] && { ! [ -s "$file" ] || is_ours "$file"; } || fail "$file exists and is not pulumi-etcd's: remove it, or give the cluster another name"
        fi
    done
    if [ -L "$root" ] || { [ -e "$root" ] && ! [ -d "$root" ]; }; then
        fail "$root exists and is no directory: remove it, or give the cluster another name"
    fi
    [ -d "$root" ] || return 0
    # Empty, or cut off while the very first file was written.
    case "$(ls -A "$root")" in ""|"\${mark##*/}.new") return 0;; esac
    [ -f "$mark" ] && is_ours "$mark" || fail "$root holds files that are not pulumi-etcd's: remove them, or give the cluster another name"
    found=$(sed -n 2p "$mark")
    [ "$found" = "$token" ] ||
        fail "$root belongs to the cluster with the token $found, wanted is $token: give one of the two clusters another name, or keep the token"
}

check_schedule() {
    command -v systemd-analyze >/dev/null || return 0
    systemd-analyze calendar -- "$1" >/dev/null 2>&1 ||
        fail "systemd of this host does not understand the backup.schedule \\"$1\\": correct it; systemd-analyze calendar shows what it makes of one"
}

# own PATH MODE OWNER: touches nothing that is as wanted.
own() {
    [ "$(stat -c '0%a %U:%G' "$1")" = "$2 $3" ] || { chown "$3" "$1"; chmod "$2" "$1"; }
}

make_user() {
    getent group "$etcd" >/dev/null || groupadd --system "$etcd" || fail "the group $etcd can't be made: see above"
    getent passwd "$etcd" >/dev/null ||
        useradd --system --gid "$etcd" --home-dir /var/lib/etcd --no-create-home --shell /usr/sbin/nologin "$etcd" ||
        fail "the user $etcd can't be made: see above"
}

make_root() {
    [ -d "\${root%/*}" ] || install -d -m 0755 "\${root%/*}"
    install -d -m 0750 -o root -g "$etcd" "$root"
}

make_directories() {
    install -d -m 0750 -o root -g "$etcd" "$generations" "$1"
    install -d -m 0700 "$as_staged"
    ( umask 022; mkdir -p "\${data%/*}" )
    # The user's home: Debian's package closes it to all but its owner whenever it is installed or updated.
    if [ "\${data%/*}" = /var/lib/etcd ] && [ "$(stat -c %U /var/lib/etcd)" != "$etcd" ]; then chown "$etcd:$etcd" /var/lib/etcd; fi
    # What is empty may be a file system that was just mounted there.
    if ! [ -e "$data" ] || [ -z "$(ls -A "$data" | grep -vx lost+found)" ]; then
        [ "$(stat -c '%a %U:%G' "$data" 2>/dev/null)" = "700 $etcd:$etcd" ] || install -d -m 0700 -o "$etcd" -g "$etcd" "$data"
    fi
    # Data of an etcd that was set up by hand gets its owner when that is stopped.
    if [ -n "$2" ] && [ -d "$data/member" ]; then return 0; fi
    # Data that is this cluster's, whoever touched it.
    if [ -f "$root/identity" ] && [ -d "$data/member" ]; then
        own "$data" 0700 "$etcd:$etcd"
        if [ -n "$(find "$data/member" ! -user "$etcd" -print -quit)" ]; then chown -R "$etcd:$etcd" "$data/member"; fi
    fi
    setpriv --reuid "$etcd" --regid "$etcd" --clear-groups test -d "$data" -a -w "$data" ||
        fail "the user $etcd can't write to $data: let it enter \${data%/*}, and own $data, or choose another dataDir"
}

# put PATH MODE OWNER CONTENT: a file is there whole, with its owner, or as it was.
changed=
put() {
    changed=
    if [ -f "$1" ] && ! [ -L "$1" ] && printf '%s' "$4" | cmp -s - "$1"; then
        own "$1" "$2" "$3"
        return 0
    fi
    printf '%s' "$4" >"$1.new" || { rm -f "$1.new"; fail "$1 can't be written: see above, and whether its disk is full" "$see_disks"; }
    chown "$3" "$1.new"
    chmod "$2" "$1.new"
    sync "$1.new"
    mv -fT "$1.new" "$1"
    changed=yes
}

# put_started PATH MODE OWNER CONTENT: of what runs. What was started from other content is to be restarted.
put_started() {
    if [ -f "$1" ] && ! printf '%s' "$4" | cmp -s - "$1"; then note_edited "$1" "$digest"; fi
    put "$@"
}

# note_edited FILE GENERATION: before FILE is put back. What is newer than the note was changed after the start.
note_edited() {
    [ "$(cat "$runtime/generation" 2>/dev/null)" = "$2" ] || return 0
    [ "$1" -nt "$runtime/generation" ] || printf '${EDITED}%s\\n' "$2" >"$runtime/generation"
}

# What membership laid down: the unit that is in force, and the owner and mode of its files.
mend_membership() {
    for file in "$root/membership.env" "$root/identity" "$root/peers.nft"; do
        if [ -f "$file" ]; then own "$file" 0640 "root:$etcd"; fi
    done
    [ -f "$unit_file" ] && [ -f "$current/etcd.service" ] || return 0
    if ! cmp -s "$current/etcd.service" "$unit_file"; then
        generation=$(readlink "$current")
        note_edited "$unit_file" "\${generation##*/}"
        cp -f "$current/etcd.service" "$unit_file.new"
        chmod 0644 "$unit_file.new"
        sync "$unit_file.new"
        mv -f "$unit_file.new" "$unit_file"
        systemctl daemon-reload
    fi
    own "$unit_file" 0644 root:root
}

# Until the files are all there, their list is not to be relied on. A run that was cut off, or failed, may have changed a file and not
# told those who read it.
begin_manifest() {
    resumed=
    if [ -e "$staging" ]; then
        resumed=yes
        systemctl daemon-reload
    fi
    : >"$staging"
}

# write_manifest PKI FIREWALL BACKUP...: what is there now, for the next run to compare with. No path holds a blank.
write_manifest() {
    generation=$generations/$digest
    copied="$generation/etcd.env $generation/etcd.service"
    pki=$1
    shift
    for file in "$@" "$firewall_unit_file" "$firewall_drop_in"; do
        if [ -f "$file" ]; then copied="$copied $file"; fi
    done
    for file in $copied; do
        cmp -s "$file" "$as_staged/\${file##*/}" || cp -f "$file" "$as_staged/"
    done
    files="$mark $staged $generation/client-ca.crt $generation/peer-ca.crt $pki/server.crt $pki/server.key $pki/peer.crt $pki/peer.key $copied"
    list=$(stat -c '%A %a %U:%G %n' "$root" "$generations" "$generation" "$pki" "$data" $files && sha256sum $files)
    put "$manifest" 0600 root:root "$list
"
    rm -f "$staging"
}

put_once() { [ -s "$1" ] || put "$@"; }

begin_generation() {
    rm -rf "$generations/.new"
    generation=$generations/$digest
    if [ -d "$generation" ]; then
        install -d -m 0750 -o root -g "$etcd" "$generation"
        return 0
    fi
    install -d -m 0750 -o root -g "$etcd" "$generations/.new"
    generation=$generations/.new
}

end_generation() {
    [ "$generation" = "$generations/.new" ] || { touch "$generation"; return 0; }
    mv -T "$generation" "$generations/$digest"
}

# Keeps the five before this one, and whatever starts next or runs now.
drop_old_generations() {
    next=$(readlink "$current" || :)
    running=$(cat "$runtime/generation" 2>/dev/null || :)
    count=0
    for name in $(ls -1t "$generations"); do
        case "$name" in "$digest"|"\${next##*/}"|"$running") continue;; esac
        count=$((count + 1))
        if [ "$count" -gt 5 ]; then rm -rf "\${generations:?}/$name"; fi
    done
}

# put_units FIREWALL DROP-IN
put_units() {
    [ -d "\${firewall_drop_in%/*}" ] || install -d -m 0755 "\${firewall_drop_in%/*}"
    put "$firewall_unit_file" 0644 root:root "$1"
    units_changed=$changed
    put "$firewall_drop_in" 0644 root:root "$2"
    if [ -n "$units_changed$changed" ]; then systemctl daemon-reload; fi
}

# loads_peers FILE: the firewall can be loaded with it. One that a loss of power or an edit has spoilt, it can't.
loads_peers() {
    [ -f "$1" ] && printf '%s\\n' 'table inet etcd_try {' "include \\"$1\\"" 'chain input {' 'ip saddr @peers4 accept' \
        'ip6 saddr @peers6 accept' '}' '}' | /usr/sbin/nft -c -f - 2>/dev/null
}

# begin_peers FILE PEERS ADDRESS...: until membership writes its own list. Members may run here already, and the table is in force before
# membership has its turn: besides the declared hosts, those stay in that this member was last told of, who may be declared no more.
# In a line of its own, an address is let in, and membership, which parses no such lines, still takes the step that its preview foresaw.
begin_peers() {
    if loads_peers "$1"; then return 0; fi
    file=$1
    peers=$2
    shift 2
    told=$(sed -n 's/^ETCD_INITIAL_CLUSTER=//p' "$root/membership.env" 2>/dev/null | tr , '\\n' | sed -E 's|^.*://\\[?||; s|\\]?:[0-9]+$||' || :)
    for address in "$@" $told; do
        case "$address" in
            *[!0-9a-fA-F.:]*) continue;;
            *:*) family=6;;
            *[!0-9.]*) continue;;
            *) family=4;;
        esac
        # A set that is declared twice has the elements of both.
        peers="$peers    set peers$family { type ipv\${family}_addr; elements = { $address }; }
"
    done
    put "$file" 0640 "root:$etcd" "$peers"
}

# load_firewall FILE TABLE: the new table is tried before it replaces the old one.
load_firewall() {
    if ! [ -f "$1" ] || ! printf '%s' "$2" | cmp -s - "$1"; then
        try=/run/$firewall_unit.try
        printf '%s' "$2" >"$try"
        problem=$(/usr/sbin/nft -c -f "$try" 2>&1) || fail "the firewall table was refused by nft: $(printf '%s' "$problem" | head -n 1)" "$see_table"
        rm -f "$try"
    fi
    put "$1" 0640 "root:$etcd" "$2"
    systemctl is-enabled --quiet "$firewall_unit" || systemctl --quiet enable "$firewall_unit"
    if ! systemctl is-active --quiet "$firewall_unit"; then
        systemctl start "$firewall_unit" || fail "the firewall can't be loaded" "$see_firewall"
    elif [ -n "$changed$resumed" ] || ! ${isFirewallInForce('"$firewall_table"')}; then
        systemctl reload "$firewall_unit" || fail "the firewall can't be loaded" "$see_firewall"
    fi
}

# open_firewall FILE TABLE PEERS: the unit stays, because what runs now may ask for it at its next start. The list of peers goes, as nobody
# keeps it up to date any more.
open_firewall() {
    [ -f "$firewall_unit_file" ] || { rm -f "$3"; return 0; }
    put "$1" 0640 "root:$etcd" "$2"
    if [ -n "$changed$resumed" ]; then
        systemctl reload-or-restart "$firewall_unit" || fail "the firewall can't be opened" "$see_firewall"
    fi
    rm -f "$3"
}

# start_timer: of backups. Whether its units were read since they changed is asked of systemd, as the run that changed them may be gone.
start_timer() {
    case $(systemctl show --value --property NeedDaemonReload "$backup_unit.service" "$backup_unit.timer") in
        *yes*) systemctl daemon-reload;;
    esac
    systemctl is-enabled --quiet "$backup_unit.timer" || systemctl --quiet enable "$backup_unit.timer"
    systemctl is-active --quiet "$backup_unit.timer" || systemctl start "$backup_unit.timer" ||
        fail "the timer of backups does not start" "$see_timer"
}
`;
