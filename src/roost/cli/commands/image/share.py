"""``roost image share``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.cli.commands.image.options import image_argument
from roost.cli.options import json_option, place_options
from roost.cli.output import say, write_json
from roost.cli.terminal import session

if TYPE_CHECKING:
    from roost.model.place import Place


@click.command("share")
@image_argument
@click.argument("account", metavar="ACCOUNT")
@click.option("--remove", is_flag=True, help="No longer.")
@place_options
@json_option
def command(image: str, account: str, remove: bool, place: Place, as_json: bool) -> None:
    """Let another AWS account start machines from an image; ACCOUNT is its number of 12 digits.

    Images are encrypted with your account's own key, and AWS lets nobody else use that one: copy
    the image with a key that you made first (`roost image copy --key`).

    \b
    Examples:
      roost image share scipion-shared 111122223333
      roost image share scipion-shared 111122223333 --remove
    """
    from roost.images.library import share

    shared = share(session(place), image, account, remove=remove)
    if as_json:
        which = {"name": shared.name, "id": shared.id, "region": shared.region}
        write_json({**which, "account": account, "shared": not remove})
        return
    how = "is no longer shared with" if remove else "is shared with"
    say(f"image {shared.name} ({shared.id}) in {shared.region} {how} {account}")
