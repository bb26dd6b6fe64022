# A login works in the cluster's environment: a plain Client() is the cluster's.
if [ -r /run/roost/node.env ] && [ "$(id -u)" -ge 1000 ]; then
    . /opt/roost/bin/environment.sh
fi
