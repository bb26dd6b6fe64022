"""``roost ssh``."""

from __future__ import annotations

import click

from roost.cli.options import PassesOn, node_argument, passed_on, place_options, split_node
from roost.cli.terminal import session as open_session
from roost.home import is_name
from roost.model.place import Place


@click.command("ssh", cls=PassesOn)
@node_argument
@click.argument("node", required=False)
@click.argument("line", required=False)
@place_options
def command(which: str, node: str | None, line: str | None, place: Place) -> None:
    """Run a shell, or a command, on one of its instances (the first, if none is named).

    LINE in quotes goes to the shell there as it is, with its pipes and its `;`; so does one word
    after `--`. Several words after `--` arrive as these words. The exit code is that of the
    command. On your own machine it is your own shell, in the instance's environment.

    \b
    Examples:
      roost ssh ndvi
      roost ssh ndvi worker-1 -- nproc      (or: ndvi/worker-1)
      roost ssh pixinsight -- df -h /data
      roost ssh ndvi 'cd /data; ls'
    """
    words = passed_on()
    if node is not None and line is None and ("/" in which or not is_name(node)):
        node, line = None, node
    if line is not None and words:
        raise click.UsageError(f"the command is there twice: {line!r}, and what is after --")
    name, node = split_node(which, node)
    session = open_session(place)
    from roost.app.connect import run_on
    from roost.app.resolve import locate, usable

    cloud = locate(session, name)
    code = run_on(session, cloud, usable(cloud, name), node, (line,) if line else words)
    raise click.exceptions.Exit(code)
