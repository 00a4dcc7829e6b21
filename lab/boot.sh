#!/bin/sh
# The power supply of one lab host: boots it, and again whenever it reboots, until it powers off.
#   boot.sh DIRECTORY          DIRECTORY/boot.conf says what the host is
# Each boot has new network and mount namespaces. A real machine forgets its firewall rules when it reboots, and a host
# that is killed leaves nothing behind: its mounts and its end of the cable are gone with its last process.
set -eu
directory=$1
. "$directory/boot.conf"

empty_control_group() {
    find "$CGROUP/machine" -mindepth 1 -depth -type d -exec rmdir {} +
}

if [ "${2:-}" != inside ]; then
    # Held by every process of the host, so that there is never a second one on the same storage.
    exec 9> "$directory/power.lock"
    flock --nonblock 9 || exit 75
    # Twice, because another environment that goes down may remove an empty parent in between.
    mkdir -p "$CGROUP/power" "$CGROUP/machine" || mkdir -p "$CGROUP/power" "$CGROUP/machine"
    echo $$ > "$CGROUP/power/cgroup.procs"
    while :; do
        empty_control_group
        status=0
        unshare --net --mount --propagation private sh "$0" "$directory" inside || status=$?
        # systemd-nspawn: --keep-unit turns a reboot into this exit code.
        [ "$status" -eq 133 ] || break
        . "$directory/boot.conf"
    done
    if [ -e "$CGROUP/cable/cgroup.kill" ]; then echo 1 > "$CGROUP/cable/cgroup.kill"; fi
    echo "powered off (exit code $status)"
    exit "$status"
fi

echo $$ > "$CGROUP/machine/cgroup.procs"
mkdir -p "$directory/root"
mount -t overlay overlay -o "lowerdir=$IMAGE,upperdir=$STORAGE/upper,workdir=$STORAGE/work" "$directory/root"
if [ -e "$STORAGE/disk.img" ]; then mount -o loop "$STORAGE/disk.img" "$directory/root/var/lib"; fi
# Its traces on this machine stay in this mount namespace.
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn

# The kernel frees the last boot's cable late.
nsenter --net="$SWITCH" ip link delete "$PORT" 2>/dev/null || true
{
    echo "link set lo up"
    echo "link add host0 address $MAC type veth peer name $PORT netns $SWITCH"
    for address in $ADDRESSES; do echo "address add $address dev host0"; done
    echo "link set host0 up"
    for subnet in $SUBNETS; do echo "route replace $subnet dev host0 scope link src ${ADDRESSES%%/*}"; done
} | ip -batch -
nsenter --net="$SWITCH" sh "$directory/cable.sh" "$directory"
# From here on no switch is needed, and our copies of these mounts would keep other environments' from ending.
for switch in "$directory"/../../../*/switch; do umount "$switch" 2>/dev/null || true; done

export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
exec systemd-nspawn --quiet --register=no --keep-unit --boot --directory="$directory/root" --machine="$NAME" \
    --network-namespace-path=/proc/$$/ns/net --capability=CAP_NET_ADMIN,CAP_NET_RAW --link-journal=no \
    --resolv-conf=off --timezone=off
