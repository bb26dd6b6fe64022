"""``roost run``."""

from __future__ import annotations

import sys

import click

from roost.cli.options import PassesOn, Place, name_argument, passed_on
from roost.errors import UsageError


@click.command("run", cls=PassesOn)
@name_argument
def command(name: str) -> None:
    """Run the file's command (or another) in its project folder, on its cluster.

    It runs with the cluster's own locked environment, and a plain `Client()` in it is the
    cluster's. Its exit code is the command's.

    \b
    Examples:
      roost run ndvi                          the file's [run] command
      roost run ndvi -- --chunk 1000          the same with more words
      roost run ndvi -- python my_script.py   another command
    """
    from roost.access.shell import run
    from roost.cli.target import locate, recorded

    spec, state = recorded(locate(name, Place("local")), name)
    line = choose(_command(spec), passed_on())
    if not line:
        raise UsageError(
            f"the file of {name} has no [run] command",
            next=f"roost run {name} -- python my_script.py",
        )
    sys.stderr.flush()
    raise click.exceptions.Exit(run(state, "head", line))


def _command(spec: object) -> tuple[str, ...]:
    chosen = getattr(spec, "run", None)
    return tuple(chosen.command) if chosen is not None else ()


def choose(given: tuple[str, ...], words: tuple[str, ...]) -> tuple[str, ...]:
    """The command line: the file's, with further options if the words begin with one."""
    if not words:
        return given
    return (*given, *words) if words[0].startswith("-") else words
