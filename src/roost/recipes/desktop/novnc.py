"""A desktop by noVNC: XFCE on TigerVNC's X server, seen through one page of nginx. Pure.

nginx is the only one that listens for others: on the machine's own loopback, or where the file
opens HTTPS, on all addresses. Behind it the desktop has a socket that only its user may open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.recipes.desktop.desktop import (
    AT,
    NOTIFY,
    XFCE,
    browser,
    gpu,
    icons,
    listening,
    look,
    notices,
    program,
    text,
    unit,
)
from roost.recipes.step import Command, File, Step

if TYPE_CHECKING:
    from roost.spec import Classroom, Desktop

SCREEN = (
    *("tigervnc-standalone-server", "tigervnc-tools", "xinit", "xauth", "x11-xserver-utils"),
    *("libgl1-mesa-dri", "novnc", "websockify", "nginx", "openssl"),
)
PRINTED = "<code>roost open NAME</code> prints the password."
HANDOUT = "The password is on your handout; your trainer can print it again."
DESKTOP, SOCKET, PAGE = "roost-desktop", "roost-websockify", "roost-desktop-page"
PAGES = (f"{SOCKET}.service", f"{PAGE}.service")
GLANCE = "roost-desktop-glance"
RESTART = "roost-desktop-restart"


def steps(spec: Desktop | Classroom, node: str = "") -> tuple[Step, ...]:
    """Return the steps for the packages, the secrets, the desktop, and its page.

    A machine that has become another seat (``node``) takes over what that one's password opens.
    """
    packages = (*XFCE, *SCREEN, *NOTIFY, browser(spec), *spec.apt)
    a_class = spec.kind == "classroom"
    return (
        Step(
            name="desktop-password",
            title="making the desktop's password",
            packages=packages,
            files=(program("secrets.py"),),
            commands=(
                Command(argv=(f"{AT}/secrets",), env=(("ROOST_SEAT", node),) if node else ()),
            ),
            own=True,
        ),
        *gpu(spec),
        Step(
            name="desktop-settings",
            title="setting the desktop up",
            files=(*look(), *notices(), program("home.py")),
            commands=(icons(spec),),
            own=True,  # no image has the user's home
        ),
        Step(
            name="desktop",
            title="starting the desktop",
            files=(program("session.sh"), program("xfce.sh"), unit(f"{DESKTOP}.service")),
            services=(f"{DESKTOP}.service",),
        ),
        *([_glance()] if a_class else []),
        Step(
            name="desktop-page",
            title="opening the desktop's page",
            files=(
                *page(spec.name, HANDOUT if a_class else ""),
                listening("nginx.conf", f"{AT}/nginx.conf", spec),
                unit(f"{SOCKET}.service"),
                unit(f"{PAGE}.service"),
                *([File(f"{AT}/glance.conf", text("glance.conf"))] if a_class else []),
            ),
            # The system's own nginx would show its page to everybody.
            commands=(Command(argv=("systemctl", "disable", "--now", "nginx.service")),),
            services=PAGES,
        ),
        *((_seat(node),) if node else ()),
    )


def _glance() -> Step:
    """Return the step for the program that a trainer's looks wake up, and the seat's own page."""
    units = (f"{GLANCE}.socket", f"{GLANCE}.service")
    restart = (f"{RESTART}.path", f"{RESTART}.service")
    # A socket is not started again under a program that runs.
    quiet = f"systemctl stop {' '.join(units)} || true"
    return Step(
        name="desktop-glance",
        title="letting the trainer look",
        files=(program("glance.py"), *map(unit, units + restart)),
        commands=(Command(argv=("sh", "-c", quiet)),),
        services=(units[0], restart[0]),
    )


def _seat(node: str) -> Step:
    """Return the step by which page and desktop take the password of the seat that it is now.

    The desktop, with all programs in it, restarts only where it has another one.
    """
    own, its = "/etc/roost/secrets/desktop-vnc", f"/run/credentials/{DESKTOP}.service/vnc"
    anew = f"cmp -s {own} {its} || systemctl restart {DESKTOP}.service"
    commands = (
        Command(argv=("sh", "-c", anew), env=(("ROOST_SEAT", node),)),
        Command(argv=("systemctl", "restart", *PAGES)),
    )
    return Step(name="desktop-seat", title="taking its seat", commands=commands, own=True)


def page(name: str, hint: str = "") -> tuple[File, ...]:
    """Return the page that asks for the password, and then shows noVNC.

    ``hint`` says where the password is, if not from `roost open`.
    """
    html = text("index.html").replace("HINT", hint or PRINTED).replace("NAME", name)
    html = html.replace('"CLASS"', '"yes"' if hint else '""')
    return (
        File(f"{AT}/page/index.html", html),
        File(f"{AT}/page/page.js", text("page.js")),
        File(f"{AT}/page/page.css", text("page.css")),
    )
