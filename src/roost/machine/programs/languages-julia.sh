#!/bin/sh
# What is installed with it is there on all nodes. The empty last entry is Julia's own.
export JULIA_DEPOT_PATH="${JULIA_DEPOT_PATH:-SOFTWARE/julia-packages:}"
exec SOFTWARE/julia/bin/julia "$@"
