/** A function of a POSIX shell: the version that the packages offer, as far as the host's lists say: 1:3.4.23-4+b4 → 3.4.23. */
export const CANDIDATE = `candidate() { apt-cache policy etcd-server | sed -n 's/^ *Candidate: *\\([0-9]*:\\)\\{0,1\\}\\([0-9.]*\\).*/\\2/p'; }`;

/**
 * From the distribution's packages. Debian's own `etcd.service` is masked before the package comes, since its installation would enable
 * and start a member of a cluster of its own; it stays masked, unless it was enabled before. An etcd that runs there is left alone.
 */
export function renderDebianInstall(): string {
    return `command -v apt-get >/dev/null || fail "this host has no apt-get: source \\"debian\\" needs Debian or Ubuntu, use \\"url\\" or \\"file\\""
take_lock
if present; then exit 0; fi

${CANDIDATE}
# Who restarts members, and when, is not needrestart's to decide.
export NEEDRESTART_SUSPEND=1
apt() { DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 -o Acquire::Retries=2 "$@" 2>&1; }
# apt-get waits for dpkg's lock, and not for that of the lists, which apt-daily has right after a host's first boot.
update() {
    tries=0
    until problem=$(apt update); do
        tries=$((tries + 1))
        case $problem in *"lists/lock"*) [ "$tries" -lt 60 ] || return 1 ;; *) return 1 ;; esac
        sleep 2
    done
}
last_error() { printf '%s\\n' "$1" | grep -E '^(E|W|dpkg):' | head -n 1; }

offered=$(candidate)
if [ "$offered" != "$version" ]; then
    update || fail "the package lists can't be brought up to date: $(last_error "$problem")"
    offered=$(candidate)
fi
[ "$offered" = "$version" ] ||
    fail "this host's packages offer etcd \${offered:-not at all}, wanted is $version: declare the offered version, or use source \\"url\\" or \\"file\\""

unit=/etc/systemd/system/etcd.service
if systemctl is-active --quiet etcd.service; then
    fail "etcd.service runs on this host, and installing etcd $version would change it: stop it, or use source \\"url\\" or \\"file\\""
fi
if [ -e "$unit" ] && [ "$(readlink "$unit")" != /dev/null ]; then
    fail "$unit is somebody's own unit, and installing etcd's package would start it: remove it, or use source \\"url\\" or \\"file\\""
fi
# What an earlier run of ours that was cut off had found, and has not given back.
mark=/var/lib/pulumi-etcd-installs-packages
if [ -e "$mark" ]; then
    was=$(cat "$mark")
    resumed=yes
else
    was=$(systemctl is-enabled etcd.service 2>/dev/null || :)
    printf '%s\\n' "$was" >"$mark"
    resumed=
fi
problem=$(systemctl mask etcd.service 2>&1) || fail "etcd.service can't be masked: $problem"
# apt does nothing more until what an interrupted dpkg left is put in order. We do that only where it was our own run.
if [ -n "$resumed" ]; then
    problem=$(DEBIAN_FRONTEND=noninteractive dpkg --configure -a --force-confdef --force-confold 2>&1) ||
        fail "the packages that an earlier run was installing can't be put in order: $(last_error "$problem")"
fi
problem=$(apt install --no-install-recommends -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold etcd-server etcd-client) ||
    fail "the packages etcd-server and etcd-client can't be installed: $(last_error "$problem")"
if [ "$was" = enabled ]; then systemctl unmask etcd.service >/dev/null 2>&1; fi
rm -f "$mark"
present || fail "etcd's package is installed, but /usr/bin/etcd says that it is $(version_of /usr/bin/etcd), wanted is $version: see dpkg -l etcd-server on the host"`;
}
