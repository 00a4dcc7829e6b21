#!/bin/sh
# Connects one lab host's port to the switch, in whose network namespace this runs, as two files beside boot.conf say:
#   cut     is there while the cable is pulled
#   delay   "MILLISECONDS JITTER LOSS": frames go through a relay that holds them up, or drops that many percent
set -eu
directory=$1
. "$directory/boot.conf"
near=near${PORT#port}
far=far${PORT#port}

# The kernel starts to forward to a port a moment after its link is up; what comes before that is lost.
await_forwarding() {
    until ip -details link show dev "$1" | grep -q "bridge_slave state forwarding"; do sleep 0.002; done
}

end_relay() {
    mkdir -p "$CGROUP/cable"
    echo 1 > "$CGROUP/cable/cgroup.kill"
    while [ -n "$(cat "$CGROUP/cable/cgroup.procs")" ]; do :; done
    ip link delete "$near" 2>/dev/null || true
}

start_relay() {
    ip link set "$PORT" nomaster
    ip link add "$near" type veth peer name "$far"
    ip link set "$far" master lab up
    ip link set "$near" up
    # The files that our caller has open, its locks and pipes, are not the relay's to hold.
    setsid sh -c 'echo $$ > "$1"; shift; exec perl "$@"' sh "$CGROUP/cable/cgroup.procs" \
        "$directory/relay.pl" "$PORT" "$near" $(cat "$directory/delay") \
        < /dev/null >> "$directory/console.log" 2>&1 9>&-
    await_forwarding "$far"
}

end_relay
if [ -e "$directory/cut" ]; then
    ip link set "$PORT" nomaster down
    exit
fi
ip link set "$PORT" up
if [ -s "$directory/delay" ]; then
    start_relay
else
    ip link set "$PORT" master lab
    await_forwarding "$PORT"
fi
