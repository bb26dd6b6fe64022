"""``roost ssh``."""

from __future__ import annotations

import click

from roost.cli.options import PassesOn, name_argument, passed_on, place_options
from roost.cli.terminal import session as open_session
from roost.model.place import Place


@click.command("ssh", cls=PassesOn)
@name_argument
@click.argument("node", required=False)
@place_options
def command(name: str, node: str | None, place: Place) -> None:
    """Run a shell, or a command, on one of its instances (the first, if none is named).

    The exit code is that of the command. On your own machine it is your own shell, in the
    instance's environment.

    \b
    Examples:
      roost ssh ndvi
      roost ssh ndvi worker-1 -- nproc
      roost ssh pixinsight -- df -h /data
    """
    session = open_session(place)
    from roost.app.connect import run_on
    from roost.app.resolve import locate, usable

    cloud = locate(session, name)
    code = run_on(session, cloud, usable(cloud, name), node, passed_on())
    raise click.exceptions.Exit(code)
