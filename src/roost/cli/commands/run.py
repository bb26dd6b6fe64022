"""``roost run``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from roost.cli.options import PassesOn, name_argument, passed_on, place_options
from roost.cli.terminal import session as open_session
from roost.errors import UsageError, command_line
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.spec import Spec


@click.command("run", cls=PassesOn)
@name_argument
@place_options
def command(name: str, place: Place) -> None:
    """Run the file's command (or another) in its project folder, on its cluster.

    It runs with the cluster's own locked environment, and a plain `Client()` in it is the
    cluster's. On rented machines it runs on the head, in the head's copy of the folder: `roost cp`
    brings its results. Its exit code is the command's.

    \b
    Examples:
      roost run ndvi                          the file's [run] command
      roost run ndvi -- --chunk 1000          the same with more words
      roost run ndvi -- python my_script.py   another command
    """
    session = open_session(place)
    from roost.app.resolve import locate, recorded

    cloud = locate(session, name)
    spec, state = recorded(cloud, name)
    line = choose(_command(spec), passed_on())
    if not line:
        raise UsageError(
            f"the file of {name} has no [run] command",
            next=command_line("roost", "run", name, "--", "python", "my_script.py"),
        )
    sys.stderr.flush()
    if cloud.can.shell is None:
        return _there(session, cloud, spec, state, line)
    from roost.ssh.local_shell import run

    raise click.exceptions.Exit(run(state, "head", line))


def _there(session: Session, cloud: Cloud, spec: Spec, state: State, line: tuple[str, ...]) -> None:
    from roost.app.connect import connected
    from roost.cli.passthrough import ended, on_terminal
    from roost.recipes.dask.remote import INSIDE
    from roost.ssh.command import shell
    from roost.ssh.process import run_through

    if spec.kind != "cluster" or spec.scheduler != "dask":
        raise UsageError(
            f"{spec.name} is no Dask cluster, which is what `roost run` runs on",
            next=command_line("roost", "ssh", spec.name, "--", *line),
        )
    way = connected(session, cloud, state, None)
    code = run_through(shell(way.config, way.alias, (*INSIDE, *line), tty=on_terminal()))
    ended(code, way, state)


def _command(spec: object) -> tuple[str, ...]:
    chosen = getattr(spec, "run", None)
    return tuple(chosen.command) if chosen is not None else ()


def choose(given: tuple[str, ...], words: tuple[str, ...]) -> tuple[str, ...]:
    """The command line: the file's, with further options if the words begin with one."""
    if not words:
        return given
    return (*given, *words) if words[0].startswith("-") else words
