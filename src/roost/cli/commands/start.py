"""``roost start``."""

from __future__ import annotations

import click

from roost.cli.options import Place, json_option, name_argument, place_options
from roost.cli.output import say


@click.command("start")
@name_argument
@place_options
@json_option
def command(name: str, place: Place, as_json: bool) -> None:
    """Start what was stopped, and whatever is missing of it.

    \b
    Example:
      roost start ndvi
    """
    from roost.cli.commands.up import bring_back

    say(f"starting {name}")
    bring_back(name, place, as_json, verb="start")
