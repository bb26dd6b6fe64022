"""``roost cp``."""

from __future__ import annotations

import click

from roost.cli.options import place_options
from roost.cli.terminal import session as open_session
from roost.model.place import Place


@click.command("cp")
@click.argument("paths", metavar="FROM... TO", nargs=-1, required=True)
@place_options
def command(paths: tuple[str, ...], place: Place) -> None:
    """Copy files and folders to a machine, or from it.

    NAME:PATH is a path on the machine (NAME/NODE:PATH on another one of its instances), from
    the home folder there if it does not begin with a slash. Times are kept. NAME/seats:PATH is
    on all seats of a class at once.

    \b
    Examples:
      roost cp frames/ pixinsight:/data/raw
      roost cp 'pixinsight:/data/results/*.tif' .
      roost cp slides.pdf training/seats:Desktop
      roost cp ndvi/worker-1:/var/log/syslog worker-1.log
    """
    from roost.app.copy import copy

    raise click.exceptions.Exit(copy(open_session(place), paths))
