"""``roost resize``."""

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


@click.command("resize")
@name_argument
@click.argument("role", required=False, type=click.Choice(["head", "worker"]))
@click.option("--type", "type_", metavar="TYPE", help="Exactly this type of machine.")
@click.option("--cpus", type=click.IntRange(1), help="The cheapest with so many CPUs.")
@click.option("--memory", metavar="SIZE", help='And so much memory ("64GB").')
@click.option("--gpus", type=click.IntRange(1), help="And so many GPUs.")
@click.option("--gpu", metavar="MODEL", help="Of this model.")
@click.option("--no-start", is_flag=True, help="Leave it stopped.")
@place_options
@json_option
@yes_options
@take_over_option
def command(  # noqa: PLR0913 - one parameter for each option
    name: str,
    role: str | None,
    type_: str | None,
    cpus: int | None,
    memory: str | None,
    gpus: int | None,
    gpu: str | None,
    no_start: bool,
    place: Place,
    as_json: bool,
    yes: bool,
    no_input: bool,
) -> None:
    """Change its type of machine: it is stopped, changed and started; disks and volumes stay.

    It refuses what does not fit (another processor, a zone without the type) before anything stops.
    If the new type cannot be started, the old one comes back. Workers of a cluster are replaced.

    \b
    Examples:
      roost resize scipion --type g5.4xlarge
      roost resize scipion --cpus 32 --gpus 1
      roost resize ndvi worker --cpus 8
    """
    session = open_session(place, yes=yes, no_input=no_input)
    from roost.app.resize import resize
    from roost.cli.text.running import show_running

    options = {"type": type_, "cpus": cpus, "memory": memory, "gpus": gpus, "gpu": gpu}
    needs = {key: value for key, value in options.items() if value is not None}
    show_running(resize(session, name, role, needs, start=not no_start), as_json)
