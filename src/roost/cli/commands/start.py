"""``roost start``."""

from __future__ import annotations

import click

from roost.cli.options import json_option, name_argument, place_options
from roost.cli.output import say
from roost.cli.terminal import session as open_session
from roost.model.place import Place


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
    session = open_session(place)
    from roost.cli.commands.up import bring_back

    say(f"starting {name}")
    bring_back(session, name, as_json, verb="start")
