"""``roost run``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from roost.cli.options import PassesOn, Place, name_argument, passed_on, place_options
from roost.errors import UsageError, command_line

if TYPE_CHECKING:
    from roost.clouds.cloud import Cloud
    from roost.plan.resources import State
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
    from roost.cli.target import locate, recorded

    cloud = locate(name, place)
    spec, state = recorded(cloud, name)
    line = choose(_command(spec), passed_on())
    if not line:
        raise UsageError(
            f"the file of {name} has no [run] command",
            next=command_line("roost", "run", name, "--", "python", "my_script.py"),
        )
    sys.stderr.flush()
    if cloud.name != "local":
        return _there(cloud, spec, state, line)
    from roost.access.shell import run

    raise click.exceptions.Exit(run(state, "head", line))


def _there(cloud: Cloud, spec: Spec, state: State, line: tuple[str, ...]) -> None:
    from roost.access.child import run_through
    from roost.access.ssh import shell
    from roost.cli.reach import connected, ended, on_terminal
    from roost.recipes.rented_dask import INSIDE

    if spec.kind != "cluster" or spec.scheduler != "dask":
        raise UsageError(
            f"{spec.name} is no Dask cluster, which is what `roost run` runs on",
            next=command_line("roost", "ssh", spec.name, "--", *line),
        )
    way = connected(cloud, state, None)
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
