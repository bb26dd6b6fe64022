"""Scipion on a desktop: its versions, plugins and programs. Pure.

Each version is a folder of its own with a Python environment, as upstream's installer makes it, and
a command. What its user works on is on the first volume that is kept, so that it outlives both the
machine and the version.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from roost.recipes.base import Recipe
from roost.recipes.desktop import icons
from roost.recipes.desktop.icons import Icon
from roost.recipes.programs import program
from roost.recipes.step import Command, File, Step

if TYPE_CHECKING:
    from roost.spec import Spec
    from roost.spec.desktop import Desk
    from roost.spec.scipion import Scipion

AT = "/usr/lib/roost/scipion"
HOURS = 8 * 3600
"""Programs are compiled, and some are slow at it."""
PACKAGES = (
    *("python3-venv", "python3-tk", "gcc", "g++", "gfortran", "make", "cmake", "git", "wget"),
    *("rsync", "unzip", "file", "libopenmpi-dev", "openmpi-bin", "libfftw3-dev", "libtiff-dev"),
    *("xvfb", "xauth", "libgl1", "libegl1", "libdbus-1-3", "libfontconfig1"),
    *("libxkbcommon-x11-0", "libxcb-cursor0", "libxcb-icccm4", "libxcb-image0"),
    *("libxcb-keysyms1", "libxcb-render-util0", "libxcb-shape0", "libxcb-xinerama0"),
)
CUDA = ("nvidia-cuda-toolkit",)
"""The compiler for GPUs; the driver is a recipe of its own (``gpu.py``)."""


def steps(spec: Spec) -> tuple[Step, ...]:
    """Return a step for each version, and one for the folders on volumes."""
    if spec.kind == "cluster" or spec.scipion is None:
        return ()
    wanted = spec.scipion
    versions = tuple(
        _version(spec, wanted, alias, first=number == 0)
        for number, alias in enumerate(wanted.versions)
    )
    return (*versions, _icons(wanted), *_datasets(spec, wanted))


RECIPE = Recipe(steps=lambda spec, _role, _context: steps(spec))


def _version(spec: Desk, wanted: Scipion, alias: str, *, first: bool) -> Step:
    facts = f"{AT}/{alias}.json"
    names = (alias, "scipion3") if first and alias != "scipion3" else (alias,)
    starter = f'#!/bin/sh\nexec {wanted.prefix}/{alias}/scipion3 "$@"\n'
    return Step(
        name=alias,
        title=f"installing Scipion {wanted.versions[alias]}",
        packages=(*PACKAGES, *icons.PACKAGES, *(CUDA if _has_cuda(spec) else ())),
        files=(
            _installer(),
            File(f"{AT}/hosts.slurm.conf", program("scipion-hosts.conf")),
            File(facts, json.dumps(_facts(spec, wanted, alias), indent=1) + "\n"),
            *(File(f"/usr/local/bin/{name}", starter, "0755") for name in names),
        ),
        commands=(
            Command(argv=(f"{AT}/install", "folder", facts)),
            Command(argv=(f"{AT}/install", "install", facts), user="user", seconds=HOURS),
            Command(argv=(f"{AT}/install", "check", facts), user="user"),
        ),
        own=_is_below_a_volume(spec, wanted.prefix),
    )


def _icons(wanted: Scipion) -> Step:
    """Return the step for what is in the user's home, which no image has."""
    shown = [_icon(wanted, alias) for alias in wanted.versions]
    return Step(
        name="scipion-icons",
        title="showing Scipion on the desktop",
        files=tuple(dict.fromkeys(file for icon in shown for file in icon.files)),
        commands=tuple(icon.command for icon in shown),
        own=True,
    )


def _icon(wanted: Scipion, alias: str) -> Icon:
    entry = program("Scipion.desktop").replace("ALIAS", alias)
    entry = entry.replace("TITLE", alias.capitalize()).replace("PREFIX", wanted.prefix)
    return Icon(f"{alias}.desktop", entry)


def _datasets(spec: Desk, wanted: Scipion) -> tuple[Step, ...]:
    """Return the step for datasets, which are on a volume that no image holds."""
    if not wanted.datasets:
        return ()
    facts = f"{AT}/{next(iter(wanted.versions))}.json"
    argv = (f"{AT}/install", "datasets", facts, *wanted.datasets)
    return (
        Step(
            name="scipion-datasets",
            title="fetching Scipion's data sets",
            files=(_installer(),),
            commands=(Command(argv=argv, user="user", seconds=HOURS),),
            own=True,
        ),
    )


def _installer() -> File:
    return File(f"{AT}/install", program("scipion-install"), "0755")


def _facts(spec: Desk, wanted: Scipion, alias: str) -> dict[str, Any]:
    """Return the facts for the machine's program; the user's home where no volume is kept."""
    kept = next((v.place for v in spec.volumes if not v.is_scratch), "~")
    scratch = next((v.place for v in spec.volumes if v.is_scratch), None)
    return {
        "home": f"{wanted.prefix}/{alias}",
        "tools": f"{wanted.prefix}/.tools",
        "version": wanted.versions[alias],
        "plugins": list(wanted.plugins),
        "binaries": list(wanted.binaries),
        "conda": wanted.conda,
        "user_data": f"{kept}/ScipionUserData",
        "tests": f"{kept}/ScipionTests",
        "scratch": f"{scratch}/scipion" if scratch else None,
    }


def _is_below_a_volume(spec: Desk, folder: str) -> bool:
    return any(f"{folder}/".startswith(f"{v.place}/") for v in spec.volumes)


def _has_cuda(spec: Desk) -> bool:
    """Return whether to install CUDA: with a GPU, and not on Debian, where it is not enabled."""
    from roost.providers.rules import has_gpu

    return has_gpu(spec.cloud, spec.machine) and spec.machine.image.startswith("ubuntu")
