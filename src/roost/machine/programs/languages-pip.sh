#!/bin/sh
# Installs for all nodes, also where no login shell has set the PATH.
exec SOFTWARE/python/bin/python -m pip "$@"
