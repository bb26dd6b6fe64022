#!/bin/sh
# Powers the machine off half an hour after its end time, or after the longest run that its budget
# pays, whatever has become of the guard. It reads two numbers and writes nothing: no Python, no
# network, no room on the disk.
late=1800
# roost-extend writes to /run where the disk takes nothing.
limits=/etc/roost/limits
[ ! -e /run/roost/limits ] || limits=/run/roost/limits
end= longest=
[ ! -r "$limits" ] || read -r end longest < "$limits"
# What is neither a number nor "-" cannot hold: then a day is the limit.
case $end in -) end= ;; "" | *[!0-9]*) end= longest=86400 ;; esac
case $longest in -) longest= ;; "" | *[!0-9]*) longest=86400 ;; esac

# How long the first process has run: a container is younger than the computer's kernel.
stat=$(cat /proc/1/stat)
# shellcheck disable=SC2086 # fields
set -- ${stat##*)}
read -r up _ < /proc/uptime
up=$((${up%.*} - ${20} / $(getconf CLK_TCK)))

why=
[ -z "$end" ] || [ "$(date +%s)" -lt $((end + late)) ] || why="its end time has passed"
[ -z "$longest" ] || [ "$up" -lt $((longest + late)) ] || why="it has run as long as it may"
[ -n "$why" ] || exit 0
echo "roost: it stops now: $why"
wall -n "roost: it stops now: $why" || :
systemctl poweroff || systemctl --force poweroff
