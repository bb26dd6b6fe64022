"""``roost start``."""

from __future__ import annotations

import click

from roost.cli.options import Place, json_option, name_argument, place_options
from roost.cli.output import say


@click.command("start")
@name_argument
@place_options
@json_option
def command(name: str, place: Place, as_json: bool) -> None:
    """Start what was stopped, and whatever is missing of it.

    \b
    Example:
      roost start ndvi
    """
    from roost.cli.life import bring_up
    from roost.cli.target import held, locate, recorded, wanted_for
    from roost.cli.up import report

    cloud = locate(name, place)
    with held(cloud, name):
        spec, _ = recorded(cloud, name)
        wanted = wanted_for(spec)
        say(f"starting {name}")
        state = bring_up(cloud, wanted, verb="start")
    report(cloud, wanted, state, as_json)
