#!/bin/sh
# The cluster's Python, also where no login shell has set the PATH.
exec SOFTWARE/python/bin/python "$@"
