"""``roost stage``."""

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


@click.command("stage")
@name_argument
@click.argument("stage")
@click.option("--no-start", is_flag=True, help="Leave it stopped.")
@place_options
@json_option
@yes_options
@take_over_option
def command(
    name: str,
    stage: str,
    no_start: bool,
    place: Place,
    as_json: bool,
    yes: bool,
    no_input: bool,
) -> None:
    """Change its machine to the one that `roost stages` advises for a stage of work.

    It is a `roost resize`: the machine is stopped, changed and started; disks and volumes stay. A
    stage that the advice leaves on the machine before it changes nothing.

    \b
    Example:
      roost stage scipion picking
    """
    session = open_session(place, yes=yes, no_input=no_input)
    from roost.app.stages import change_to
    from roost.cli.text.running import show_running

    show_running(change_to(session, name, stage, start=not no_start), as_json)
