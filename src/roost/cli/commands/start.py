"""``roost start``."""

from __future__ import annotations

import click

from roost.cli.options import (
    json_option,
    node_argument,
    place_options,
    split_node,
    take_over_option,
    yes_options,
)
from roost.cli.terminal import session as open_session
from roost.model.place import Place


@click.command("start")
@node_argument
@place_options
@json_option
@yes_options
@take_over_option
def command(which: str, place: Place, as_json: bool, yes: bool, no_input: bool) -> None:
    """Start what was stopped, and whatever is missing of it; or one machine.

    It says what an hour costs. It asks where a volume would change, and for what settings rent or
    open that were written on another computer.

    \b
    Examples:
      roost start ndvi
      roost start training/seat-3
    """
    name, node = split_node(which)
    session = open_session(place, yes=yes, no_input=no_input)
    from roost.app.start import start
    from roost.cli.text.running import show_running

    show_running(start(session, name, node), as_json)
