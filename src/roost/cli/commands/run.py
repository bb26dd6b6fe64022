"""``roost run``."""

from __future__ import annotations

import click

from roost.cli.options import PassesOn, node_argument, passed_on, place_options, split_node
from roost.cli.terminal import session as open_session
from roost.model.place import Place


@click.command("run", cls=PassesOn)
@node_argument
@place_options
def command(which: str, place: Place) -> None:
    """Run the file's command (or another) in its project folder, on its cluster.

    It runs with the cluster's own locked environment, and a plain `Client()` in it is the
    cluster's. On rented machines it runs on the head, in the head's copy of the folder: `roost cp`
    brings its results. Its exit code is the command's. On a class a command runs on all seats at
    once, each line with its seat before it, or on the one that you name.

    \b
    Examples:
      roost run ndvi                          the file's [run] command
      roost run ndvi -- --chunk 1000          the same with more words
      roost run ndvi -- python my_script.py   another command
      roost run training -- df -h /data
    """
    from roost.app.run import run

    name, node = split_node(which)
    raise click.exceptions.Exit(run(open_session(place), name, passed_on(), node))
