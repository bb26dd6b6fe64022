"""``roost park``."""

from __future__ import annotations

import click

from roost.cli.options import (
    json_option,
    name_argument,
    place_options,
    take_over_option,
    yes_options,
)
from roost.cli.terminal import session as open_session
from roost.errors import UsageError
from roost.model.place import Place
from roost.parking.modes import ParkMode


@click.command("park")
@name_argument
@click.option(
    "--mode",
    "chosen",
    multiple=True,
    metavar="[VOLUME=]MODE",
    help="keep, snapshot, archive, s3 or discard; instead of the file's (repeatable).",
)
@click.option(
    "--to",
    metavar="S3",
    help="Where volumes go with --mode s3: s3://BUCKET/PREFIX; instead of the file's park_to.",
)
@click.option("--discard", multiple=True, metavar="VOLUME", help="Yes, the data of this one goes.")
@click.option("--advise", is_flag=True, help="Only say what each way to park costs.")
@click.option(
    "--days",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    help="With --advise: for so many days.",
)
@place_options
@json_option
@yes_options
@take_over_option
def command(  # noqa: PLR0913 - one parameter for each option
    name: str,
    chosen: tuple[str, ...],
    to: str | None,
    discard: tuple[str, ...],
    advise: bool,
    days: int,
    place: Place,
    as_json: bool,
    yes: bool,
    no_input: bool,
) -> None:
    """Save the work and stop paying: `roost resume` brings all of it back.

    Each data volume goes the way that the file says (park = ...): kept, a snapshot, an archived
    snapshot, copied to S3, or discarded. The disk of the machine is saved as an image, then the
    machine goes. Nothing is deleted before its copy is completed. Workers of a cluster hold
    nothing, and go.

    With s3 the machine copies its volume, then programs that use it end, and every file is
    compared with S3 by its checksum. Where one is wrong it is named, and the volume stays.

    \b
    Examples:
      roost park pixinsight --advise --days 20
      roost park pixinsight
      roost park scipion --mode data=archive --discard scratch
      roost park ndvi --mode s3 --to s3://my-bucket/parked
    """
    session = open_session(place, yes=yes, no_input=no_input)
    from roost.app.park import advise as compare
    from roost.app.park import park
    from roost.app.prices import todays_book
    from roost.cli.text import parking as text

    if advise:
        text.show_advice(compare(session, name, days=days, book=todays_book()), as_json)
        return
    wishes = [_wish(word) for word in chosen]
    text.report(park(session, name, modes=wishes, to=to, discard=discard), as_json)


def _wish(word: str) -> tuple[str, ParkMode]:
    """Read ``data=s3``, or ``s3`` for every volume."""
    volume, _, mode = word.rpartition("=")
    try:
        return volume, ParkMode(mode)
    except ValueError:
        raise UsageError(f'--mode: "{mode}" is none of {", ".join(ParkMode)}') from None
