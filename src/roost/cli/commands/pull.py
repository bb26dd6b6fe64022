"""``roost pull``."""

from __future__ import annotations

from typing import Any

import click

from roost.cli.copying import (
    BOTH_WAYS,
    FROM_S3,
    HOW,
    QUIET,
    S3,
    job,
    options,
    session_for,
    show_all,
)
from roost.cli.options import NameAndNode, json_option, place_options, take_over_option, yes_options
from roost.model.place import Place


@click.command("pull")
@click.argument("which", metavar="NAME[/NODE]", type=NameAndNode())
@click.argument("only", metavar="[FOLDER|S3]...", nargs=-1)
@options(*BOTH_WAYS, *FROM_S3, *HOW[1:], *S3, QUIET)
@place_options
@json_option
@yes_options
@take_over_option
def command(which: str, only: tuple[str, ...], place: Place, **chosen: Any) -> None:
    """Copy to its machine what the file's [data] names: from S3 to folders.

    The machine copies by itself, with its own role where it has one, and continues if this
    computer is off: the same command attaches to it again, and Ctrl-C ends it. Every seat of a
    classroom gets its own copy, all at once. With FOLDER or S3, only the entries that say so.

    \b
    Examples:
      roost pull pixinsight
      roost pull pixinsight /data/raw --dry-run
      roost pull course/seat-3
    """
    from roost.app.data import pull

    wanted = job({**chosen, "profile": place.profile, "region": None})
    show_all(which, pull(session_for(place, chosen), which, only, wanted), chosen)
