"""``roost image rm``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.cli.commands.image.options import image_argument
from roost.cli.options import json_option, place_options, yes_options
from roost.cli.output import say, write_json
from roost.cli.terminal import session

if TYPE_CHECKING:
    from roost.model.place import Place


@click.command("rm")
@image_argument
@place_options
@json_option
@yes_options
def command(image: str, place: Place, as_json: bool, yes: bool, no_input: bool) -> None:
    """Delete an image and its snapshot, once you have typed its name.

    Machines that were started from it keep running; the next ones install all of it again.

    \b
    Examples:
      roost image rm scipion
      roost image rm scipion --region us-east-1 --yes
    """
    from roost.images.library import remove

    gone = remove(session(place, yes=yes, no_input=no_input), image, yes=yes)
    if as_json:
        which = {"name": gone.name, "id": gone.id, "region": gone.region}
        write_json({**which, "deleted": True})
        return
    say(f"deleted: image {gone.name} ({gone.id}) in {gone.region}")
    say("machines that were started from it keep running; the next ones install all of it again")
