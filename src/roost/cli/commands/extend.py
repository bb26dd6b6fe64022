"""``roost extend``."""

from __future__ import annotations

import click

from roost.cli.options import json_option, name_argument, place_options
from roost.cli.terminal import session as open_session
from roost.model.place import Place


@click.command("extend")
@name_argument
@click.argument("span")
@click.argument("node", required=False)
@place_options
@json_option
def command(name: str, span: str, node: str | None, place: Place, as_json: bool) -> None:
    """Let it run for longer: move its end time, and do not stop it for idleness until then.

    The machines stop by themselves, so this asks them; in a classroom all seats, or the one that
    you name. The budget stays as it is in the file.

    \b
    Examples:
      roost extend pixinsight 2h
      roost extend training 1h30m seat-7
    """
    session = open_session(place)
    from roost.app.extend import extend
    from roost.cli.text.extended import show_extended

    show_extended(extend(session, name, span, node), as_json)
