"""``roost image``: machines as images, so that the next one starts with its set-up done."""

from __future__ import annotations

import click

from roost.cli.commands.image import bake, copy, ls, rm, share


@click.group("image")
def command() -> None:
    """Make images of machines, so that the next ones start with their set-up done.

    `roost up` starts from an image by itself where one holds what the file wants installed. An
    image costs what a snapshot of its disk costs, until `roost image rm`.

    \b
    Examples:
      roost image bake scipion
      roost image ls
      roost image copy scipion --region us-east-1
    """


for _module in (bake, ls, copy, share, rm):
    command.add_command(_module.command)
