"""``roost scale``."""

from __future__ import annotations

import click

from roost.cli.options import (
    json_option,
    name_argument,
    place_options,
    take_over_option,
    yes_options,
)
from roost.cli.terminal import session as open_session
from roost.model.place import Place


@click.command("scale")
@name_argument
@place_options
@click.argument("workers", type=click.IntRange(0, 10_000))
@click.option("--drop", multiple=True, metavar="WORKER", help="Let this one go first (repeatable).")
@yes_options
@json_option
@take_over_option
def command(
    name: str,
    place: Place,
    workers: int,
    drop: tuple[str, ...],
    yes: bool,
    no_input: bool,
    as_json: bool,
) -> None:
    """Change the number of workers. Those that go hand over their data and tasks first.

    More of them cost more where they are rented: that is shown, and asked for.

    \b
    Examples:
      roost scale ndvi 4
      roost scale ndvi 1 --drop worker-2
    """
    session = open_session(place, yes=yes, no_input=no_input)
    from roost.app.scale import scale
    from roost.cli.text.running import show_running

    show_running(scale(session, name, workers, frozenset(drop)), as_json)
