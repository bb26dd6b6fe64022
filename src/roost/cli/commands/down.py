"""``roost down``."""

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
from roost.model.place import Place


@click.command("down")
@name_argument
@click.option(
    "--delete-data",
    "typed",
    multiple=True,
    metavar="VOLUME",
    help="Delete the data of this volume too, with its snapshots; NAME itself: all data.",
)
@click.option("--keep-data", is_flag=True, help="Keep all data (as it does by itself).")
@place_options
@json_option
@yes_options
@take_over_option
def command(
    name: str,
    typed: tuple[str, ...],
    keep_data: bool,
    place: Place,
    as_json: bool,
    yes: bool,
    no_input: bool,
) -> None:
    """Delete it: its instances, and everything roost made for them.

    Data volumes, snapshots and images are kept, unless you type their names. A volume for which
    your file says park = "discard" goes too (--keep-data keeps it). An address that was fixed is
    released. At the end it looks once more for anything with its tag, and lists what is left. Your
    own files are not touched, nor is what was parked in your bucket: it says where that is, and
    how to remove it.

    \b
    Examples:
      roost down ndvi
      roost down ndvi --yes
      roost down scipion --delete-data scratch
      roost down scipion --delete-data scipion     all of its data
    """
    session = open_session(place, yes=yes, no_input=no_input)
    from roost.app.down import down
    from roost.cli.text.down import show_down

    show_down(down(session, name, typed, keep_data=keep_data), as_json)
