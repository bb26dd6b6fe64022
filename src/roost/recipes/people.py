"""The public keys of those whom the file lets in, beside the key of whoever made the machine. Pure.

sshd reads this second file of a user's by itself. It is written whole, so that who is taken out of
the file comes in no more; what is in the first file is the machine's user's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.recipes.base import Context, Recipe
from roost.recipes.step import File, Step

if TYPE_CHECKING:
    from roost.model.resources import Role
    from roost.spec import Spec

PLACE = "~/.ssh/authorized_keys2"
HEADER = (
    "# Written by roost: [access] keys of the file. Your own keys: authorized_keys, beside this.\n"
)


def steps(spec: Spec, role: Role, context: Context) -> tuple[Step, ...]:
    """Return the step that lets in whom the file names, and nobody else."""
    del role
    known = {f"{spec.cloud}:{name}": key for name, key in context.key_pairs.items()}
    keys = [known.get(key, key) for key in spec.access.keys]
    content = HEADER + "".join(f"{key}\n" for key in keys)
    file = File(PLACE, content, "0600", "user")
    return (Step(name="people", title="letting in whom the file names", files=(file,), own=True),)


RECIPE = Recipe(steps=steps)
