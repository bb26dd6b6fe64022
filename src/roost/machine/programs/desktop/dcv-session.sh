#!/bin/sh
# One virtual session, which is there as long as this runs: it ends when the user logs out, and
# systemd starts a new one. DCV itself forgets its sessions at each start.
set -eu
user=$(id -nu 1000)
dcv close-session roost 2>/dev/null || true
# What a killed X server left behind keeps the next one away.
for lock in /tmp/.X[0-9]*-lock; do
    [ -e "$lock" ] || continue
    kill -0 "$(tr -dc 0-9 < "$lock")" 2>/dev/null && continue
    number=${lock#/tmp/.X}
    rm -f "$lock" "/tmp/.X11-unix/X${number%-lock}"
done
dcv create-session --type virtual --user "$user" --owner "$user" --name "$(hostname)" \
    --permissions-file /usr/lib/roost/desktop/dcv.perm --init /usr/lib/roost/desktop/xfce roost
trap 'dcv close-session roost; exit 0' TERM INT
while dcv describe-session roost >/dev/null 2>&1; do
    sleep 5 &
    wait $!
done
