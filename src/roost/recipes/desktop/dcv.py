"""A desktop by Amazon DCV, on Ubuntu: the same XFCE, in a virtual session of DCV's server. Pure.

DCV listens on the machine's own loopback only. systemd hands what comes to port 443 on to it, since
DCV itself takes no port below 1024; only where the file opens HTTPS can others come there. Its
licence costs nothing on EC2, where the machine's role must be able to read Amazon's bucket with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.recipes.desktop.desktop import (
    AT,
    NOTIFY,
    UBUNTUS_BROWSER,
    UNITS,
    XFCE,
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
    from roost.spec.desktop import Desk

SYSTEM = ("openssl", "xauth", "x11-xserver-utils", "libgl1-mesa-dri", "curl", "ca-certificates")
SERVER, SESSION, PUBLIC = "dcvserver.service", "roost-dcv-session", "roost-dcv-public"


def steps(spec: Desk) -> tuple[Step, ...]:
    """Return the steps for the server, its secrets, and the session."""
    return (
        Step(
            name="dcv",
            title="installing Amazon DCV",
            packages=(*XFCE, *SYSTEM, *NOTIFY, UBUNTUS_BROWSER, *spec.apt),
            files=(program("dcv-install.py"),),
            commands=(Command(argv=(f"{AT}/dcv-install",)),),
        ),
        Step(
            name="dcv-password",
            title="making the desktop's password",
            files=(program("dcv-secrets.py"),),
            commands=(Command(argv=(f"{AT}/dcv-secrets",)),),
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
            files=(
                File("/etc/dcv/dcv.conf", text("dcv.conf")),
                File(f"{AT}/dcv.perm", text("dcv.perm")),
                File("/etc/roost/busy.d/50-dcv", text("dcv-busy.sh"), "0755"),
                program("xfce.sh"),
                program("dcv-session.sh"),
                unit(f"{SESSION}.service"),
            ),
            services=(SERVER, f"{SESSION}.service"),
        ),
        Step(
            name="desktop-page",
            title="opening the desktop's page",
            files=(
                listening(f"{PUBLIC}.socket", f"{UNITS}/{PUBLIC}.socket", spec),
                unit(f"{PUBLIC}.service"),
            ),
            services=(f"{PUBLIC}.socket",),
        ),
    )
