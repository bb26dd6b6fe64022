"""``roost push``."""

from __future__ import annotations

from typing import Any

import click

from roost.cli.copying import (
    BOTH_WAYS,
    HOW,
    QUIET,
    S3,
    TO_S3,
    job,
    options,
    session_for,
    show_all,
)
from roost.cli.options import NameAndNode, json_option, place_options, take_over_option, yes_options
from roost.model.place import Place


@click.command("push")
@click.argument("which", metavar="NAME[/NODE]", type=NameAndNode())
@click.argument("only", metavar="[FOLDER|S3]...", nargs=-1)
@options(*BOTH_WAYS, *TO_S3, *HOW, *S3, QUIET)
@place_options
@json_option
@yes_options
@take_over_option
def command(which: str, only: tuple[str, ...], place: Place, **chosen: Any) -> None:
    """Copy from its machine what the file's [data] names: from folders to S3.

    The machine copies by itself, with its own role where it has one, and continues if this
    computer is off: the same command attaches to it again, and Ctrl-C ends it. Each seat of a
    classroom has a folder of its own in S3: TARGET/seat-1. With FOLDER or S3, only the entries
    that say so.

    \b
    Examples:
      roost push pixinsight --verify
      roost push scipion /data/projects --class GLACIER_IR
      roost push scipion s3://my-bucket/movies --watch --move
    """
    from roost.app.data import push

    wanted = job({**chosen, "profile": place.profile, "region": None})
    show_all(which, push(session_for(place, chosen), which, only, wanted), chosen)
