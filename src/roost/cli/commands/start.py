"""``roost start``."""

from __future__ import annotations

import click

from roost.cli.options import (
    json_option,
    name_argument,
    place_options,
    take_over_option,
    yes_options,
)
from roost.cli.terminal import session as open_session
from roost.model.place import Place


@click.command("start")
@name_argument
@place_options
@json_option
@yes_options
@take_over_option
def command(name: str, place: Place, as_json: bool, yes: bool, no_input: bool) -> None:
    """Start what was stopped, and whatever is missing of it.

    It says what an hour costs. It asks where a volume would change, and for what settings rent or
    open that were written on another computer.

    \b
    Example:
      roost start ndvi
    """
    session = open_session(place, yes=yes, no_input=no_input)
    from roost.app.start import start
    from roost.cli.text.running import show_running

    show_running(start(session, name), as_json)
