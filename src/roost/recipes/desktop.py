"""A desktop that is seen in the browser: which of the two kinds, and what both share. Pure."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from roost.recipes.step import Command, File, Step

if TYPE_CHECKING:
    from roost.spec.desktop import Desktop

AT = "/usr/lib/roost/desktop"
"""Where the programs of a desktop are."""
NOTIFY = ("libnotify-bin",)


def steps(spec: Desktop) -> tuple[Step, ...]:
    """All that makes the machine of ``spec`` a desktop."""
    from roost.recipes import novnc

    return novnc.steps(spec) if spec.protocol == "novnc" else ()


def is_debian(spec: Desktop) -> bool:
    """Whether the system is Debian; of an image that only has a number, it is Ubuntu."""
    return spec.machine.image.startswith("debian")


def text(name: str) -> str:
    """One of a desktop's programs or files."""
    return files("roost.recipes").joinpath("programs", "desktop", name).read_text()


def program(name: str) -> File:
    """A program of a desktop, without its suffix: ``/usr/lib/roost/desktop/session``."""
    return File(f"{AT}/{name.partition('.')[0]}", text(name), "0755")


def notices() -> tuple[File, ...]:
    """What roost says, on the desktop too, with one click that adds an hour."""
    return (
        program("ask.py"),
        File("/etc/roost/notice.d/50-desktop", text("notice.sh"), "0755"),
    )


def icons(spec: Desktop) -> Command:
    """The data volumes on the desktop."""
    words = tuple(f"{volume.name}={volume.place}" for volume in spec.volumes)
    return Command(argv=(f"{AT}/home", *words), user="user")
