"""``roost down``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.cli.options import Place, json_option, name_argument, place_options, yes_options
from roost.cli.output import say, write_json
from roost.errors import NeedsConfirmationError

if TYPE_CHECKING:
    from roost.plan.resources import State


@click.command("down")
@name_argument
@place_options
@json_option
@yes_options
def command(name: str, place: Place, as_json: bool, yes: bool, no_input: bool) -> None:
    """Delete it: its instances, and everything roost made for them.

    Your own files are not touched: notebooks and results are in your project folder.

    \b
    Examples:
      roost down ndvi
      roost down ndvi --yes
    """
    from roost.cli.life import drive, summary
    from roost.cli.target import existing, held, locate
    from roost.plan.down import plan_down

    cloud = locate(name, place)
    with held(cloud, name):
        before = existing(cloud, name)
        say(f"{name}: {summary(before) or 'only its record'}")
        _confirm(name, before, yes=yes, no_input=no_input)
        count = len(before.instances)
        state = drive(
            cloud,
            name,
            lambda have, _: plan_down(have),
            title=f"down {name}",
            total=count,
            done=lambda now: count - len(now.instances),
        )
    gone = sorted({i.name for i in before.instances} - {i.name for i in state.instances})
    if as_json:
        write_json({"name": name, "deleted": gone, "left": [r.name for r in state.resources]})
    else:
        left = ", ".join(f"{r.kind} {r.name}" for r in state.resources)
        rest = f"kept: {left}" if left else f"nothing of {name} is left"
        say(f"deleted: {', '.join(gone) or 'the record'}; {rest}")


def _confirm(name: str, state: State, *, yes: bool, no_input: bool) -> None:
    """A record alone costs nothing and is no loss."""
    from roost.cli.life import ask

    if state.instances:
        refused = NeedsConfirmationError(
            f"deleting {name} needs a yes",
            exists=state.conditions,
            next=f"roost down {name} --yes",
        )
        ask(name, f"Delete {name}?", refused, yes=yes, no_input=no_input)
