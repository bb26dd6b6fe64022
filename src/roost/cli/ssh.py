"""``roost ssh``."""

from __future__ import annotations

import click

from roost.cli.options import PassesOn, name_argument, passed_on


@click.command("ssh", cls=PassesOn)
@name_argument
@click.argument("node", required=False)
def command(name: str, node: str | None) -> None:
    """A shell, or a command, on one of its instances (the first, if none is named).

    On your own machine it is your own shell, in the instance's environment.

    \b
    Examples:
      roost ssh ndvi
      roost ssh ndvi worker-1 -- nproc
    """
    import os

    from roost.access.shell import run
    from roost.cli.target import existing, locate
    from roost.errors import NotFoundError

    state = existing(locate(name), name)
    there = [i.name for i in state.instances]
    node = node or (there[0] if there else "head")
    if node not in there:
        raise NotFoundError(f"{name} has no instance {node} (there are: {', '.join(there)})")
    line = passed_on() or (os.environ.get("SHELL", "/bin/sh"),)
    raise click.exceptions.Exit(run(state, node, line))
