"""``roost start``."""

from __future__ import annotations

import click

from roost.cli.options import json_option, name_argument
from roost.cli.output import say


@click.command("start")
@name_argument
@json_option
def command(name: str, as_json: bool) -> None:
    """Start what was stopped, and whatever is missing of it.

    \b
    Example:
      roost start ndvi
    """
    from roost.cli.life import bring_up
    from roost.cli.target import connect, held, recorded, wanted_for
    from roost.cli.up import report

    cloud = connect("local")
    with held(cloud, name):
        spec, _ = recorded(cloud, name)
        wanted = wanted_for(spec)
        say(f"starting {name}")
        state = bring_up(cloud, wanted, verb="start")
    report(cloud, wanted, state, as_json)
