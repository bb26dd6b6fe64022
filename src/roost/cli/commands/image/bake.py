"""``roost image bake``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.cli.commands.image.options import ImageName
from roost.cli.options import (
    json_option,
    node_argument,
    place_options,
    split_node,
    take_over_option,
    yes_options,
)
from roost.cli.terminal import session

if TYPE_CHECKING:
    from roost.model.place import Place


@click.command("bake")
@node_argument
@click.option("--node", metavar="NODE", help="Which of its instances, if not the first.")
@click.option(
    "--as",
    "image",
    type=ImageName(),
    metavar="IMAGE",
    help="The image's name, if not the machine's.",
)
@place_options
@json_option
@yes_options
@take_over_option
def command(
    which: str,
    node: str | None,
    image: str | None,
    place: Place,
    as_json: bool,
    yes: bool,
    no_input: bool,
) -> None:
    """Make an image of a machine, with nothing personal in it.

    The machine is stopped while its disk is copied, and started again if it ran; nothing on it is
    changed. A small helper made from the copy, which no address can reach, erases logins, keys and
    all homes, but for the software in them (the command says which folders); only then the image is
    made, and helper and copy are deleted. Data volumes are not in it. An older image of the same
    name is deleted when the new one is completed. If it is interrupted anywhere, type the same
    command again: it continues.

    \b
    Examples:
      roost image bake scipion
      roost image bake ndvi/worker-1 --as ndvi-worker --yes
      roost image bake training/seat-1
    """
    from roost.cli.text.image import show
    from roost.images.bake import bake

    name, node = split_node(which, node)
    asked = session(place, yes=yes, no_input=no_input)
    show(bake(asked, name, node=node, image=image), as_json)
