#!/bin/sh
# launch GROUP MEMORY CPUS NETWORK WORDS...: systemd-nspawn in a control group of its own, with no
# more memory (bytes) and processors than the instance type has, in a network namespace (a path).
# Runs in a mount namespace of its own.
set -eu
group=$1 memory=$2 cpus=$3 network=$4
shift 4
if [ -d /sys/fs/cgroup/memory ]; then # the old hierarchy holds the controllers
    mkdir -p "/sys/fs/cgroup/memory/$group"
    echo "$memory" > "/sys/fs/cgroup/memory/$group/memory.limit_in_bytes"
    echo $$ > "/sys/fs/cgroup/memory/$group/cgroup.procs"
fi
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/$group"
[ ! -e "/sys/fs/cgroup/$group/memory.max" ] || echo "$memory" > "/sys/fs/cgroup/$group/memory.max"
echo $$ > "/sys/fs/cgroup/$group/cgroup.procs"
# As its own network, so that /sys shows this one; nspawn's own option for it does not do that.
export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
export SYSTEMD_SECCOMP=0 SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_LOCK=0
exec nsenter "--net=$network" taskset -c "0-$((cpus - 1))" systemd-nspawn "$@"
