#!/bin/sh
# The user's desktop: XFCE on an X server that speaks VNC. Ends when the user logs out, and systemd
# starts a new one.
set -eu
cd "$HOME"
# What a killed server left behind; systemd runs one of us at a time.
rm -f /tmp/.X1-lock /tmp/.X11-unix/X1
export XAUTHORITY="$HOME/.Xauthority"
# By a pipe: the arguments of a program can be read by everybody.
printf 'remove :1\nadd :1 . %s\n' "$(mcookie)" | xauth -q source -
# VNC on a socket that only this user may open, and on no port. Its password decides who may type:
# the file's second one only looks. Everybody comes through nginx, so nobody's mistakes may lock out
# the others (UseBlacklist). What is pasted may be long (MaxCutText): a longer text would arrive as
# nothing and empty the clipboard, so the page sends none.
exec xinit /usr/lib/roost/desktop/xfce -- /usr/bin/Xtigervnc :1 \
    -auth "$XAUTHORITY" -nolisten tcp -rfbport -1 \
    -rfbunixpath "$RUNTIME_DIRECTORY/vnc" -rfbunixmode 0600 \
    -SecurityTypes VncAuth -PasswordFile "$CREDENTIALS_DIRECTORY/vnc" \
    -AlwaysShared=1 -UseBlacklist=0 -MaxCutText 16777216 -geometry 1280x800 -depth 24 -s 0 -desktop "$(hostname)"
