#!/bin/sh
# The desktop itself; the session is over when this ends.
# roost's own settings come before the system's, and after the user's.
export XDG_CONFIG_DIRS=/usr/lib/roost/desktop/xdg:/etc/xdg
export XDG_CURRENT_DESKTOP=XFCE DESKTOP_SESSION=xfce
unset CREDENTIALS_DIRECTORY RUNTIME_DIRECTORY INVOCATION_ID JOURNAL_STREAM SYSTEMD_EXEC_PID
# The user's own systemd may be older than the packages that bring it its D-Bus.
systemctl --user daemon-reload
systemctl --user start dbus.socket
export DBUS_SESSION_BUS_ADDRESS="unix:path=$XDG_RUNTIME_DIR/bus"
# What D-Bus starts for the desktop must find the screen and the settings too.
dbus-update-activation-environment --systemd \
    DISPLAY XAUTHORITY XDG_CONFIG_DIRS XDG_CURRENT_DESKTOP XDG_SESSION_TYPE
# With a GPU, whatever is started from the desktop draws on it.
if [ -e /dev/nvidia0 ] && [ -x /opt/VirtualGL/bin/vglrun ]; then
    export VGL_DISPLAY=egl
    exec /opt/VirtualGL/bin/vglrun +wm startxfce4
fi
exec startxfce4
