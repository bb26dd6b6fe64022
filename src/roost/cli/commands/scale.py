"""``roost scale``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.cli.options import json_option, name_argument, place_options
from roost.cli.output import say
from roost.cli.terminal import session as open_session
from roost.errors import UsageError
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.spec.cluster import Workers


@click.command("scale")
@name_argument
@place_options
@click.argument("workers", type=click.IntRange(0, 10_000))
@click.option("--drop", multiple=True, metavar="WORKER", help="Let this one go first (repeatable).")
@json_option
def command(name: str, place: Place, workers: int, drop: tuple[str, ...], as_json: bool) -> None:
    """Change the number of workers. Those that go hand over their data and tasks first.

    \b
    Examples:
      roost scale ndvi 4
      roost scale ndvi 1 --drop worker-2
    """
    session = open_session(place)
    from roost.app.resolve import held, locate, recorded, wanted_for
    from roost.cli.commands.up import bring_and_report

    cloud = locate(session, name)
    with held(session, cloud, name):
        spec, _ = recorded(cloud, name)
        if spec.kind != "cluster":
            raise UsageError(f"{name} is a {spec.kind}; only a cluster has workers")
        _check_limits(spec.workers, name, workers)
        count = spec.workers.model_copy(update={"count": workers})
        wanted = wanted_for(spec.model_copy(update={"workers": count}))
        say(f"scaling {name} to {workers} workers")
        bring_and_report(session, cloud, wanted, as_json, verb="scale", drop=frozenset(drop))


def _check_limits(found: Workers, name: str, count: int) -> None:
    """The file's own limits hold here too."""
    limits = {"min": found.min, "max": found.max}
    for key, limit in limits.items():
        if limit is not None and (count < limit if key == "min" else count > limit):
            raise UsageError(
                f"the file of {name} says {key} = {limit} workers",
                next=f"change {key} in the file, then: roost up FILE",
            )
