"""``roost cp``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.cli.options import place_options
from roost.cli.terminal import session as open_session
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.ssh.command import Side


@click.command("cp")
@click.argument("paths", metavar="FROM... TO", nargs=-1, required=True)
@place_options
def command(paths: tuple[str, ...], place: Place) -> None:
    """Copy files and folders to a machine, or from it.

    NAME:PATH is a path on the machine (NAME/NODE:PATH on another one of its instances), from
    the home folder there if it does not begin with a slash. Times are kept.

    \b
    Examples:
      roost cp frames/ pixinsight:/data/raw
      roost cp 'pixinsight:/data/results/*.tif' .
      roost cp ndvi/worker-1:/var/log/syslog worker-1.log
    """
    session = open_session(place)
    from roost.app.connect import connected
    from roost.app.resolve import existing, locate
    from roost.cli.passthrough import ended
    from roost.errors import UsageError
    from roost.ssh.command import copy, side
    from roost.ssh.process import run_through, scp_speaks_sftp

    sides = [side(path) for path in paths]
    there = _there(sides)
    cloud = locate(session, there.name or "")
    if cloud.can.shell is not None:
        raise UsageError(f"{there.name} runs on your own machine: its files are yours; use cp")
    state = existing(cloud, there.name or "")
    way = connected(session, cloud, state, there.node)
    line = copy(way.config, way.alias, sides[:-1], sides[-1], sftp=scp_speaks_sftp())
    ended(run_through(line), way, state)


def _there(sides: list[Side]) -> Side:
    """The machine of the copy. Raises UsageError where both sides, or none, are on one."""
    from roost.errors import UsageError

    example = "roost cp results.tif NAME:/data   (or: roost cp NAME:/data/results.tif .)"
    if len(sides) < 2:
        raise UsageError("from where to where?", next=example)
    *sources, target = sides
    machines = {(one.name, one.node) for one in sources}
    if len(machines) > 1:
        raise UsageError("all that is copied must come from one place", next=example)
    if (sources[0].name is None) == (target.name is None):
        what = "neither" if target.name is None else "both"
        raise UsageError(f"{what} of the two sides is on a machine", next=example)
    return target if target.name is not None else sources[0]
