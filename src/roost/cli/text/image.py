"""Images as people and ``--json`` see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.app.prices import todays_book
from roost.cli.output import say, table, write_json
from roost.cli.text.money import Data, amount_json
from roost.errors import command_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from roost.cost.rates import Section
    from roost.model.images import BakedImage


def show(image: BakedImage, as_json: bool) -> None:
    """Print an image that was made."""
    if as_json:
        write_json(image_json(image))
        return
    click.echo(image_table([image]))
    say(
        "`roost up` starts from it where it holds what a file wants; to end it: "
        + command_line("roost", "image", "rm", image.name)
    )


def image_table(images: Iterable[BakedImage]) -> str:
    """Write a row for each image, with what it costs a month."""
    header = ("IMAGE", "REGION", "STATE", "SYSTEM", "ARCH", "SIZE", "MADE", "FROM", "A MONTH")
    rows = [
        (
            image.name,
            image.region,
            image.state,
            image.system,
            image.arch,
            f"{image.size_gib:g}GB",
            str(image.made.date()),
            image.made_from,
            str(_monthly(image).amount),
        )
        for image in images
    ]
    return table(header, rows, frozenset({5, 8}))


def image_json(image: BakedImage) -> Data:
    """Return one image as ``--json`` shows it."""
    return {
        "name": image.name,
        "id": image.id,
        "region": image.region,
        "state": image.state,
        "arch": image.arch,
        "system": image.system,
        "recipe": image.recipe,
        "made_from": image.made_from,
        "size_gib": image.size_gib,
        "made": image.made,
        "per_month": amount_json(_monthly(image).amount),
    }


def _monthly(image: BakedImage) -> Section:
    """Return the most that it costs: its snapshot holds at most the whole disk."""
    from roost.cost.bill import Snapshots
    from roost.cost.inventory import Found, monthly

    stored = Found(
        kind="image",
        ids=(image.id,),
        what=f"image {image.name}",
        region=image.region,
        items=(Snapshots(int(image.size_gib), image.region),),
    )
    return monthly(stored, todays_book())
