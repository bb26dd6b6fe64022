"""``roost ssh``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import click

from roost.cli.options import PassesOn, name_argument, passed_on, place_options
from roost.cli.terminal import session as open_session
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.model.resources import State


@click.command("ssh", cls=PassesOn)
@name_argument
@click.argument("node", required=False)
@place_options
def command(name: str, node: str | None, place: Place) -> None:
    """A shell, or a command, on one of its instances (the first, if none is named).

    The exit code is that of the command. On your own machine it is your own shell, in the
    instance's environment.

    \b
    Examples:
      roost ssh ndvi
      roost ssh ndvi worker-1 -- nproc
      roost ssh pixinsight -- df -h /data
    """
    session = open_session(place)
    from roost.app.resolve import existing, locate

    cloud = locate(session, name)
    state = existing(cloud, name)
    if cloud.can.shell is not None:
        _here(state, node)
    from roost.app.connect import connected
    from roost.cli.passthrough import ended, on_terminal
    from roost.ssh.command import shell
    from roost.ssh.process import run_through

    way = connected(session, cloud, state, node)
    code = run_through(shell(way.config, way.alias, passed_on(), tty=on_terminal()))
    ended(code, way, state)


def _here(state: State, node: str | None) -> NoReturn:
    import os

    from roost.errors import NotFoundError
    from roost.ssh.local_shell import run

    there = [i.name for i in state.instances]
    node = node or (there[0] if there else "head")
    if node not in there:
        raise NotFoundError(f"{state.name} has no instance {node} (there are: {', '.join(there)})")
    line = passed_on() or (os.environ.get("SHELL", "/bin/sh"),)
    raise click.exceptions.Exit(run(state, node, line))
