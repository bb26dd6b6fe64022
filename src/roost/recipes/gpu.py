"""NVIDIA's driver, for every machine with a GPU: stock images have none. Pure.

An image keeps what was installed, and a machine from it looks again: its kernel may be another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.providers.rules import has_gpu, may_have_gpu
from roost.recipes.base import Recipe, machine_of
from roost.recipes.programs import program
from roost.recipes.step import Command, File, Step

if TYPE_CHECKING:
    from roost.model.resources import Role
    from roost.spec import Spec

PROGRAM = "/usr/lib/roost/gpu-driver"


def steps(spec: Spec, role: Role) -> tuple[Step, ...]:
    """Return the steps that install the driver, and that fail where the GPU does not answer.

    Where nothing describes the machine's type, it looks by itself whether it has one.
    """
    machine = machine_of(spec, role)
    known = has_gpu(spec.cloud, machine)
    if not known and not may_have_gpu(spec.cloud, machine):
        return ()
    where = () if known else ("where-there-is-one",)
    file = File(PROGRAM, program("gpu-driver"), "0755")
    return (
        Step(
            name="gpu-driver",
            title="installing NVIDIA's driver",
            packages=("pciutils", "kmod"),
            files=(file,),
            commands=(Command(argv=(PROGRAM, "install", *where)),),
        ),
        Step(
            name="gpu",
            title="asking the GPU",
            files=(file,),
            commands=(Command(argv=(PROGRAM, "check", *where), seconds=300),),
            own=True,
        ),
    )


RECIPE = Recipe(steps=lambda spec, role, _: steps(spec, role))
