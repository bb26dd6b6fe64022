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
from roost.cli.range import Workers
from roost.cli.terminal import session as open_session
from roost.model.place import Place
from roost.notebook.dask.ranges import EVERY, QUIET, TARGET, THE_WORK, Range, range_of


@click.command("scale")
@name_argument
@place_options
@click.argument("workers", type=Workers())
@click.option("--drop", multiple=True, metavar="WORKER", help="Let this one go first (repeatable).")
@click.option(
    "--asked-by", default="`roost scale`", hidden=True, help="Who asks: the work, or a notebook."
)
@click.option(
    "--pace",
    type=(float, int, float),
    default=(EVERY, QUIET, TARGET),
    hidden=True,
    help="How fast it follows.",
)
@yes_options
@json_option
@take_over_option
def command(  # noqa: PLR0913 - one parameter for each option
    name: str,
    place: Place,
    workers: int | tuple[int, int],
    drop: tuple[str, ...],
    asked_by: str,
    pace: tuple[float, int, float],
    yes: bool,
    no_input: bool,
    as_json: bool,
) -> None:
    """Change the number of workers. Those that go hand over their data and tasks first.

    A range lets the number follow the work, until a number is given again: workers are added while
    tasks wait, and idle ones go. On your own machine the cluster does that itself. Rented machines
    hold no keys to your account: there `roost follow NAME` does it, for as long as it runs.

    More of them cost more where they are rented: that is shown, and asked for.

    \b
    Examples:
      roost scale ndvi 4
      roost scale ndvi 1 --drop worker-2
      roost scale ndvi 0..8
    """
    session = open_session(place, yes=yes, no_input=no_input)
    from roost.app.scale import scale
    from roost.cli.text.running import show_running

    wish: int | Range = workers if isinstance(workers, int) else range_of(*workers, asked_by, pace)
    for_work = asked_by == THE_WORK
    show_running(scale(session, name, wish, frozenset(drop), for_work=for_work), as_json)
