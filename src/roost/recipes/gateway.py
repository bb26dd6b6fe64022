"""The gateway of a name: how it knows that it is still needed. Pure.

It runs sshd, as its image has it, and nothing else; the guard stops it once it is idle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.recipes.base import Context, Recipe
from roost.recipes.programs import program
from roost.recipes.step import File, Step

if TYPE_CHECKING:
    from roost.model.resources import Role
    from roost.spec import Spec

BUSY = "/etc/roost/busy.d/50-behind"
BEHIND = "/etc/roost/behind"
"""The private addresses of the machines behind it, one a line."""


def steps(spec: Spec, role: Role, context: Context) -> tuple[Step, ...]:
    """Return the step that keeps it up as long as a machine behind it is on."""
    del spec, role
    files = (
        File(BEHIND, "".join(f"{address}\n" for address in context.behind)),
        File(BUSY, program("gateway-busy"), "0755"),
    )
    return (Step(name="gateway", title="watching the machines behind it", files=files, own=True),)


RECIPE = Recipe(steps=steps)
