"""``roost stop``."""

from __future__ import annotations

import click

from roost.cli.options import json_option, name_argument, place_options
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.errors import command_line
from roost.model.place import Place


@click.command("stop")
@name_argument
@place_options
@json_option
def command(name: str, place: Place, as_json: bool) -> None:
    """Stop its instances. Nothing is deleted; `roost start` brings all of it back.

    \b
    Example:
      roost stop ndvi
    """
    session = open_session(place)
    from roost.app.lifecycle import drive, instance_json
    from roost.app.resolve import existing, held, locate
    from roost.plan.up import plan_stop

    cloud = locate(session, name)
    with held(session, cloud, name):
        before = existing(cloud, name)  # its record need not be readable: what runs can be stopped
        say(f"stopping {name}")
        state = drive(
            session,
            cloud,
            name,
            lambda have, _: plan_stop(have),
            title=f"stop {name}",
            total=len(before.instances),
            done=lambda now: sum(i.state == "stopped" for i in now.instances),
        )
    if as_json:
        write_json({"name": name, "instances": [instance_json(i) for i in state.instances]})
    else:
        say(f"{name} is stopped; `{command_line('roost', 'start', name)}` brings it back")
