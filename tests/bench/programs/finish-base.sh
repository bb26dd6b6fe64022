#!/bin/sh
# The last of building the base system, in $1: what a fresh AMI has not, and what it must have.
set -eu
root=$1
rm -f "$root"/etc/ssh/ssh_host_* "$root"/var/lib/dbus/machine-id
rm -rf "$root"/var/lib/cloud "$root"/var/log/apt "$root"/var/log/dpkg.log
: > "$root/etc/machine-id"
: > "$root/etc/hostname"

# cloud-init takes a machine for one of EC2 by its DMI or hypervisor id, which a container has not.
source=$root/usr/lib/python3/dist-packages/cloudinit/sources/DataSourceEc2.py
sed -i 's|"/sys/hypervisor/uuid"|"/etc/bench-hypervisor-uuid"|' "$source"
grep -q bench-hypervisor-uuid "$source"

# Its address is there before it boots, and nobody answers DHCP.
rm -f "$root/usr/sbin/dhclient"

# Packages bring programs of these names, which need what this kernel lacks. Ours stay in their place.
for name in mount.nfs mount.nfs4 umount.nfs umount.nfs4 resize2fs; do
    chroot "$root" dpkg-divert --quiet --local --rename --add \
        --divert "/sbin/$name.real" "/sbin/$name"
    cp "$root/usr/lib/bench/$name" "$root/sbin/$name"
done
for unit in proc-fs-nfsd.mount run-rpc_pipefs.mount nfs-blkmap.service nfs-mountd.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
chroot "$root" systemctl enable --quiet bench-mounts.service
