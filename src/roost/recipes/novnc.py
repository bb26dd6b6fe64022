"""A desktop by noVNC: XFCE on TigerVNC's X server, seen through one page of nginx. Pure.

nginx is the only one that listens for others: on the machine's own loopback, or where the file
opens HTTPS, on all addresses. Behind it the desktop has a socket that only its user may open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.recipes.desktop import AT, NOTIFY, icons, is_debian, notices, program, text
from roost.recipes.step import Command, File, Step

if TYPE_CHECKING:
    from roost.spec.desktop import Desktop

XFCE = (
    *("xfce4-session", "xfwm4", "xfdesktop4", "xfce4-panel", "xfce4-settings", "xfce4-notifyd"),
    *("xfce4-terminal", "thunar", "gvfs", "mousepad", "xfce4-taskmanager"),
    *("xfce4-whiskermenu-plugin", "greybird-gtk-theme", "elementary-xfce-icon-theme"),
    *("adwaita-icon-theme", "fonts-dejavu-core", "dbus-user-session"),
)
SCREEN = (
    *("tigervnc-standalone-server", "tigervnc-tools", "xinit", "xauth", "x11-xserver-utils"),
    *("libgl1-mesa-dri", "novnc", "websockify", "nginx", "openssl"),
)
DEBIANS_BROWSER, UBUNTUS_BROWSER = "firefox-esr", "epiphany-browser"
"""Ubuntu's Firefox is a snap, which comes from elsewhere and starts slowly."""
CHANNELS = (
    *("xsettings", "xfwm4", "xfce4-session", "xfce4-desktop", "xfce4-panel", "xfce4-notifyd"),
)
HIDDEN = (
    *("light-locker", "xfce4-screensaver", "xscreensaver", "xfce4-power-manager", "nm-applet"),
    *("blueman", "print-applet", "geoclue-demo-agent", "update-notifier", "snap-userd-autostart"),
    *("tracker-miner-fs-3", "gnome-keyring-ssh", "xiccd", "org.gnome.SettingsDaemon.Power"),
)
"""What would begin with every session, if the user's packages bring it, and is of no use here."""
UNITS = "/etc/systemd/system"
DESKTOP, SOCKET, PAGE = "roost-desktop", "roost-websockify", "roost-desktop-page"


def steps(spec: Desktop) -> tuple[Step, ...]:
    """The packages, what is secret, the desktop, and its page."""
    browser = DEBIANS_BROWSER if is_debian(spec) else UBUNTUS_BROWSER
    packages = (*XFCE, *SCREEN, *NOTIFY, browser, *spec.apt)
    return (
        Step(
            name="desktop-password",
            title="making the desktop's password",
            packages=packages,
            files=(program("secrets.py"),),
            commands=(Command(argv=(f"{AT}/secrets",)),),
            own=True,
        ),
        Step(
            name="desktop-settings",
            title="setting the desktop up",
            files=(*settings(), *notices(), program("home.py")),
            commands=(icons(spec),),
        ),
        Step(
            name="desktop",
            title="starting the desktop",
            files=(program("session.sh"), program("xfce.sh"), unit(DESKTOP)),
            services=(f"{DESKTOP}.service",),
        ),
        Step(
            name="desktop-page",
            title="opening the desktop's page",
            files=(*page(spec.name), nginx(bool(spec.access.https)), unit(SOCKET), unit(PAGE)),
            # The system's own nginx would show its page to everybody.
            commands=(Command(argv=("systemctl", "disable", "--now", "nginx.service")),),
            services=(f"{SOCKET}.service", f"{PAGE}.service"),
        ),
    )


def unit(name: str) -> File:
    """One of the services."""
    return File(f"{UNITS}/{name}.service", text(f"{name}.service"))


def settings() -> tuple[File, ...]:
    """How the desktop looks at first, and what it leaves away; the user's own settings win."""
    xdg = f"{AT}/xdg"
    channels = f"{xdg}/xfce4/xfconf/xfce-perchannel-xml"
    return (
        *(File(f"{channels}/{name}.xml", text(f"xfconf/{name}.xml")) for name in CHANNELS),
        *(File(f"{xdg}/autostart/{name}.desktop", text("hidden.desktop")) for name in HIDDEN),
        File(f"{xdg}/xfce4/helpers.rc", text("helpers.rc")),
        File("/etc/xdg/xfce4/kiosk/kioskrc", text("kioskrc")),
        File("/etc/firefox/policies/policies.json", text("firefox.json")),
    )


def page(name: str) -> tuple[File, ...]:
    """The page that asks for the password, and then shows noVNC."""
    return (
        File(f"{AT}/page/index.html", text("index.html").replace("NAME", name)),
        File(f"{AT}/page/page.js", text("page.js")),
        File(f"{AT}/page/page.css", text("page.css")),
    )


def nginx(public: bool) -> File:
    """nginx's whole configuration, apart from what is secret in it."""
    listen = "0.0.0.0" if public else "127.0.0.1"  # noqa: S104 - where the file opens HTTPS
    return File(f"{AT}/nginx.conf", text("nginx.conf").replace("LISTEN", listen))
