# Read by shells: this machine's place in its cluster, as its notebooks have it.
set -a
. /etc/roost/node.env
. /run/roost/node.env
set +a
PATH=$VIRTUAL_ENV/bin:$PATH
