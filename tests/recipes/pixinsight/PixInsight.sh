#!/bin/bash
# As the real one: the libraries beside it, and then the program.
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
export LD_LIBRARY_PATH=$here/lib
exec "$here/PixInsight" "$@"
