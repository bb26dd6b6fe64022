#!/bin/sh
# Runs one of roost's programs: as "run NAME", or by the name roost-NAME of a link to this file.
# -P: nothing is imported from the folder that somebody happens to be in.
me=$(basename "$0")
case $me in
    roost-*) name=${me#roost-} ;;
    *) name=$1; shift ;;
esac
if [ ! -e "/usr/lib/roost/roost/machine/$name.py" ]; then
    echo "roost-$name: it comes with this machine's set-up: roost up" >&2
    exit 1
fi
PYTHONPATH=/usr/lib/roost PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 -P -m "roost.machine.$name" "$@"
