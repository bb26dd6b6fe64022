"""A desktop that is seen in the browser: which of the two kinds, and what both share. Pure."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from roost.providers.rules import has_gpu
from roost.recipes.base import Recipe
from roost.recipes.step import Command, File, Step

if TYPE_CHECKING:
    from roost.spec import Classroom, Desktop
    from roost.spec.desktop import Desk

AT = "/usr/lib/roost/desktop"
"""The folder of a desktop's programs."""
UNITS = "/etc/systemd/system"
XFCE = (
    *("xfce4-session", "xfwm4", "xfdesktop4", "xfce4-panel", "xfce4-settings", "xfce4-notifyd"),
    *("xfce4-terminal", "thunar", "gvfs", "mousepad", "xfce4-taskmanager"),
    *("xfce4-whiskermenu-plugin", "greybird-gtk-theme", "elementary-xfce-icon-theme"),
    *("adwaita-icon-theme", "fonts-dejavu-core", "dbus-user-session"),
    *("fonts-noto-cjk", "fonts-noto-color-emoji", "xdg-user-dirs", "xfce4-genmon-plugin"),
    *("ristretto", "evince", "xarchiver", "thunar-archive-plugin", "tumbler"),
)
NOTIFY = ("libnotify-bin",)
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
"""Programs that packages start with every session, and that are useless here."""


def steps(spec: Desktop | Classroom, node: str = "") -> tuple[Step, ...]:
    """Return all steps that make the machine of ``spec`` a desktop."""
    from roost.recipes.desktop import dcv, novnc

    return dcv.steps(spec) if spec.protocol == "dcv" else novnc.steps(spec, node)


RECIPE = Recipe(steps=lambda spec, _role, context: steps(spec, context.node))


def browser(spec: Desk) -> str:
    """Return the system's browser; an image that only has a number counts as Ubuntu."""
    return DEBIANS_BROWSER if spec.machine.image.startswith("debian") else UBUNTUS_BROWSER


def text(name: str) -> str:
    """Return the text of a desktop's program or file."""
    return files("roost.machine").joinpath("programs", "desktop", name).read_text()


def program(name: str) -> File:
    """Return a program of a desktop, without its suffix: ``/usr/lib/roost/desktop/session``."""
    return File(f"{AT}/{name.partition('.')[0]}", text(name), "0755")


def notices() -> tuple[File, ...]:
    """Return the program that shows notices on the desktop; one click adds an hour."""
    return (
        program("ask.py"),
        File("/etc/roost/notice.d/50-desktop", text("notice.sh"), "0755"),
    )


def icons(spec: Desk) -> Command:
    """Return the command that puts the data volumes on the desktop."""
    words = tuple(f"{volume.name}={volume.place}" for volume in spec.volumes)
    return Command(argv=(f"{AT}/home", *words), user="user")


def unit(name: str) -> File:
    """Return a unit of systemd."""
    return File(f"{UNITS}/{name}", text(name))


def look() -> tuple[File, ...]:
    """Return the desktop's first look, without needless parts; the user's own settings win."""
    xdg = f"{AT}/xdg"
    channels = f"{xdg}/xfce4/xfconf/xfce-perchannel-xml"
    return (
        *(File(f"{channels}/{name}.xml", text(f"xfconf/{name}.xml")) for name in CHANNELS),
        *(File(f"{xdg}/autostart/{name}.desktop", text("hidden.desktop")) for name in HIDDEN),
        File(f"{xdg}/xfce4/helpers.rc", text("helpers.rc")),
        File(f"{xdg}/xfce4/panel/genmon-11.rc", text("genmon.rc")),
        program("meter.py"),
        File(f"{xdg}/xfce4/whiskermenu/defaults.rc", text("whiskermenu.rc")),
        File("/etc/xdg/xfce4/kiosk/kioskrc", text("kioskrc")),
        File("/etc/firefox/policies/policies.json", text("firefox.json")),
    )


def listening(name: str, path: str, spec: Desk) -> File:
    """Return a file with the address to listen at: public only where the spec opens HTTPS."""
    where = "0.0.0.0" if spec.access.https else "127.0.0.1"  # noqa: S104 - the spec says so
    return File(path, text(name).replace("LISTEN", where))


def gpu(spec: Desk) -> tuple[Step, ...]:
    """Return the step for drawing on the GPU, where the machine has one."""
    if not has_gpu(spec.cloud, spec.machine):
        return ()
    return (
        Step(
            name="desktop-gpu",
            title="letting the desktop draw on the GPU",
            packages=("curl", "gpg"),
            files=(program("virtualgl.sh"),),
            commands=(Command(argv=(f"{AT}/virtualgl",)),),
        ),
    )
