"""``roost image ls``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.cli.options import json_option, place_options
from roost.cli.output import say, write_json
from roost.cli.terminal import session

if TYPE_CHECKING:
    from roost.model.place import Place


@click.command("ls")
@place_options
@json_option
def command(place: Place, as_json: bool) -> None:
    """List the baked images, and what each of them costs a month.

    Without a region, it looks in all that roost has used.

    \b
    Examples:
      roost image ls
      roost image ls --region us-east-1 --json
    """
    from roost.cli.text.image import image_json, image_table
    from roost.images.library import libraries

    among = libraries(session(place), "list images")
    images = [image for library in among for image in library.all()]
    for library in among:
        for unfinished in library.unfinished():
            say(f"half made in {library.region}: {unfinished}; `roost image bake` completes it")
    if as_json:
        write_json([image_json(image) for image in images])
    elif images:
        click.echo(image_table(images))
        say("what is stored is at most its size; prices without tax")
    else:
        say(f"no baked image is in {', '.join(library.region for library in among)}")
