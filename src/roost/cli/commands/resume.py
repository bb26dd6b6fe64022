"""``roost resume``."""

from __future__ import annotations

import click

from roost.cli.options import json_option, name_argument, place_options
from roost.cli.terminal import session as open_session
from roost.model.place import Place


@click.command("resume")
@name_argument
@place_options
@json_option
def command(name: str, place: Place, as_json: bool) -> None:
    """Bring back what was parked: machines, their disks, volumes and addresses.

    It may come back in another zone of its region, wherever there is room. Archived data takes
    up to 72 hours; until then no machine is rented; type the same command again then.

    \b
    Example:
      roost resume pixinsight
    """
    session = open_session(place)
    from roost.app.resume import resume
    from roost.cli.text.running import show_running

    show_running(resume(session, name), as_json)
