"""The software of a machine for copying data to S3 and from it. Pure.

Amazon's client (awscrt) comes once, in an environment of its own; the programs of
``roost.transfer`` come with each sync (``transfer/remote/client.py``), so that they are always
those of the roost that asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.model.resources import STATELESS
from roost.recipes.base import Recipe
from roost.recipes.programs import program
from roost.recipes.step import Command, File, Step

if TYPE_CHECKING:
    from roost.model.resources import Role
    from roost.spec import Spec

AT = "/opt/roost/sync"
"""The folder of the software on a machine; an image of the machine keeps it."""
AWSCRT = "0.38.1"
"""The version in uv.lock, with which roost itself is tested."""
PYTHON = f"{AT}/python-{AWSCRT}/bin/python"
INSTALL = "/usr/lib/roost/sync/install"
BUSY = "/etc/roost/busy.d/40-sync"
PACKAGES = ("ca-certificates", "python3-venv")


def steps(spec: Spec, role: Role) -> tuple[Step, ...]:
    """Return the steps for the machine that has the data: the head, the desktop, each seat."""
    return (step(),) if role not in STATELESS and spec.uses_s3 else ()


RECIPE = Recipe(steps=lambda spec, role, _: steps(spec, role))


def step() -> Step:
    """Install Amazon's client; the install program does nothing where it is there."""
    return Step(
        name="sync",
        title="installing what copies data to S3 and from it",
        packages=PACKAGES,
        files=files(),
        commands=(Command(argv=(INSTALL, AT, AWSCRT), seconds=900),),
    )


def files() -> tuple[File, ...]:
    """Return its programs on the machine."""
    return (
        File(INSTALL, program("sync-install"), "0755"),
        File(BUSY, program("sync-busy"), "0755"),
    )
