#!/bin/sh
# Turns a freshly installed Debian tree ($1) into the image that all lab hosts share.
# $OPERATOR_PASSWORD is the password of the user "operator".
set -eu
root=$1

# The packages that a host may install, with all they need, in a repository that works without a network.
repository=/usr/share/lab/apt
mkdir -p "$root$repository"
for package in etcd-server etcd-client; do
    chroot "$root" apt-get install --yes --no-install-recommends --download-only "$package"
done
mv "$root"/var/cache/apt/archives/*.deb "$root$repository/"
chroot "$root" sh -euc '
    cd "$1"
    for deb in *.deb; do
        dpkg-deb --field "$deb"
        echo "Filename: ./$deb"
        echo "Size: $(stat --format %s "$deb")"
        echo "SHA256: $(sha256sum "$deb" | cut -d " " -f 1)"
        echo
    done > Packages' sh "$repository"
rm -rf "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/* "$root"/etc/apt/apt.conf.d/*proxy* "$root"/etc/apt/apt.conf
echo "deb [trusted=yes] file:$repository ./" > "$root/etc/apt/sources.list"

# Host keys and the machine id are each host's own, and a lab host asks no name server.
rm -f "$root"/etc/ssh/ssh_host_* "$root"/etc/machine-id "$root"/etc/hostname "$root"/etc/resolv.conf
: > "$root/etc/resolv.conf"

chroot "$root" useradd --uid 1000 --create-home --shell /bin/bash admin
echo "admin ALL=(ALL) NOPASSWD: ALL" > "$root/etc/sudoers.d/admin"
chroot "$root" useradd --uid 1001 --gid operator --create-home --shell /bin/bash operator
echo "operator ALL=(ALL) ALL" > "$root/etc/sudoers.d/operator"
chmod 0440 "$root/etc/sudoers.d/admin" "$root/etc/sudoers.d/operator"
echo "operator:$OPERATOR_PASSWORD" | chroot "$root" chpasswd

# Only what a host in a container cannot use, or what would wake up in the middle of a test.
for unit in console-getty.service systemd-networkd.service systemd-networkd-wait-online.service systemd-resolved.service \
    systemd-timesyncd.service apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
