"""The file's environment variables, for every login and for the desktop. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.recipes.base import Recipe
from roost.recipes.programs import program
from roost.recipes.step import Command, File, Step

if TYPE_CHECKING:
    from roost.spec import Spec

PLACE = "/etc/roost/env"
MERGE = "/usr/lib/roost/env"


def steps(spec: Spec) -> tuple[Step, ...]:
    """Return the step that writes them; it comes before whatever is started."""
    if not spec.env:
        return ()
    lines = "".join(f'{name}="{value}"\n' for name, value in spec.env.items())
    return (
        Step(
            name="env",
            title="setting environment variables",
            files=(File(PLACE, lines), File(MERGE, program("env"), "0755")),
            commands=(Command(argv=(MERGE,), seconds=60),),
        ),
    )


RECIPE = Recipe(steps=lambda spec, _role, _context: steps(spec))
