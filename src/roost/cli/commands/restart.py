"""``roost restart``."""

from __future__ import annotations

import click

from roost.cli.options import (
    json_option,
    node_argument,
    place_options,
    split_node,
    take_over_option,
)
from roost.cli.terminal import session as open_session
from roost.model.place import Place


@click.command("restart")
@node_argument
@click.argument("node", required=False)
@place_options
@json_option
@take_over_option
def command(which: str, node: str | None, place: Place, as_json: bool) -> None:
    """Restart its machines (or one); disks, addresses and what is on them stay.

    On your own machine its processes are stopped and started again.

    \b
    Examples:
      roost restart scipion
      roost restart training/seat-7
    """
    name, node = split_node(which, node)
    session = open_session(place)
    from roost.app.restart import restart
    from roost.cli.text.running import show_running

    show_running(restart(session, name, node), as_json)
