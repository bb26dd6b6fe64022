#!/bin/sh
# The one thing that cloud-init runs. What stops the machine comes first: it must hold even where
# the set-up fails.
mkdir -p /etc/roost/setup.d /etc/roost/retire.d /etc/roost/rebalance.d /etc/roost/busy.d \
    /etc/roost/notice.d /var/lib/roost /run/roost
ln -sf /usr/lib/roost/run /usr/local/sbin/roost-extend
systemctl daemon-reload
systemctl enable --now roost-last-resort.timer roost-guard.timer roost-volumes.timer
systemctl enable roost-setup.service
systemctl start --no-block roost-setup.service
for unit in roost-beacon roost-spot roost-warm; do
    if [ -e "/etc/systemd/system/$unit.service" ]; then
        systemctl enable "$unit.service"
        systemctl start --no-block "$unit.service"
    fi
done
udevadm control --reload
# Connections of computers that have gone to sleep must not look like somebody at work.
systemctl try-reload-or-restart ssh.service
