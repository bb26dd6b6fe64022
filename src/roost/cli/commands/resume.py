"""``roost resume``."""

from __future__ import annotations

import click

from roost.cli.options import (
    fresh_option,
    json_option,
    name_argument,
    place_options,
    take_over_option,
    yes_options,
)
from roost.cli.terminal import session as open_session
from roost.model.place import Place


@click.command("resume")
@name_argument
@fresh_option
@place_options
@json_option
@yes_options
@take_over_option
def command(
    name: str, fresh: tuple[str, ...], place: Place, as_json: bool, yes: bool, no_input: bool
) -> None:
    """Bring back what was parked: machines, their disks, volumes and addresses.

    It says what an hour costs, and asks. It may come back in another zone of its region, wherever
    there is room. Archived data takes up to 72 hours; until then no machine is rented; type the
    same command again then.

    Where somebody has deleted a copy that it would come back from, it says so and makes nothing.
    With --fresh NAME that volume comes back empty, or that machine as new.

    \b
    Examples:
      roost resume pixinsight
      roost resume pixinsight --fresh data
    """
    session = open_session(place, yes=yes, no_input=no_input)
    from roost.app.resume import resume
    from roost.cli.text.running import show_running

    show_running(resume(session, name, fresh), as_json)
