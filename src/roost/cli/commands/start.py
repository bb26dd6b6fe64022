"""``roost start``."""

from __future__ import annotations

import click

from roost.cli.options import json_option, name_argument, place_options, take_over_option
from roost.cli.terminal import session as open_session
from roost.model.place import Place


@click.command("start")
@name_argument
@place_options
@json_option
@take_over_option
def command(name: str, place: Place, as_json: bool) -> None:
    """Start what was stopped, and whatever is missing of it.

    \b
    Example:
      roost start ndvi
    """
    session = open_session(place)
    from roost.app.start import start
    from roost.cli.text.running import show_running

    show_running(start(session, name), as_json)
