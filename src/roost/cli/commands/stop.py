"""``roost stop``."""

from __future__ import annotations

import click

from roost.cli.options import json_option, name_argument, place_options, take_over_option
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.errors import command_line
from roost.model.place import Place


@click.command("stop")
@name_argument
@place_options
@json_option
@take_over_option
def command(name: str, place: Place, as_json: bool) -> None:
    """Stop its instances. Nothing is deleted; `roost start` brings all of it back.

    \b
    Example:
      roost stop ndvi
    """
    session = open_session(place)
    from roost.app.lifecycle import instance_json
    from roost.app.stop import stop

    state = stop(session, name)
    if as_json:
        write_json({"name": name, "instances": [instance_json(i) for i in state.instances]})
    else:
        say(f"{name} is stopped; `{command_line('roost', 'start', name)}` brings it back")
