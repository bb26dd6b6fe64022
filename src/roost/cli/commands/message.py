"""``roost message``."""

from __future__ import annotations

import click

from roost.cli.options import json_option, name_argument, place_options
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.model.place import Place


@click.command("message")
@name_argument
@click.argument("text")
@click.option("--seat", "seats", multiple=True, metavar="SEAT", help="Only there (repeatable).")
@place_options
@json_option
def command(name: str, text: str, seats: tuple[str, ...], place: Place, as_json: bool) -> None:
    """Show a message on the screens of a class.

    It stays until somebody closes it.

    \b
    Examples:
      roost message training "We go on at 2 pm"
      roost message training "Your job is done" --seat 7
    """
    from roost.app.message import message

    shown = message(open_session(place), name, text, seats)
    if as_json:
        write_json({"name": name, "nodes": list(shown.nodes)})
    elif shown.nodes:
        say(f"shown on {len(shown.nodes)} {'screen' if len(shown.nodes) == 1 else 'screens'}")
    if shown.problem is not None:
        raise shown.problem
