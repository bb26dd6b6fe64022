"""``roost stop``."""

from __future__ import annotations

import click

from roost.cli.options import (
    json_option,
    node_argument,
    place_options,
    split_node,
    take_over_option,
)
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.errors import command_line
from roost.model.place import Place


@click.command("stop")
@node_argument
@place_options
@json_option
@take_over_option
def command(which: str, place: Place, as_json: bool) -> None:
    """Stop its instances (or one). Nothing is deleted; `roost start` brings all of it back.

    \b
    Examples:
      roost stop ndvi
      roost stop training/seat-3
    """
    name, node = split_node(which)
    session = open_session(place)
    from roost.app.lifecycle import instance_json
    from roost.app.stop import stop

    state = stop(session, name, node)
    if as_json:
        write_json({"name": name, "instances": [instance_json(i) for i in state.instances]})
    else:
        say(f"{which} is stopped; `{command_line('roost', 'start', which)}` brings it back")
