#!/bin/sh
# Somebody looks at the desktop, DCV says.
found=$(dcv describe-session roost -j 2>/dev/null | sed -n 's/.*"num-of-connections" *: *\([0-9]*\).*/\1/p')
[ "${found:-0}" -gt 0 ] || exit 1
echo "somebody is connected to the desktop ($found)"
