#!/bin/sh
# What roost has to say, on the desktop too. Who says it does not wait for the user's answer.
systemctl stop roost-notice.service 2>/dev/null
exec systemd-run --quiet --collect --unit=roost-notice /usr/lib/roost/desktop/ask "$1"
