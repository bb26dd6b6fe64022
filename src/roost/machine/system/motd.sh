#!/bin/sh
# What roost has to say at a login.
for file in /var/lib/roost/notice /var/lib/roost/stopped; do
    if [ -s "$file" ]; then
        printf 'roost: '
        cat "$file"
    fi
done
exit 0
