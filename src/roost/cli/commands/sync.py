"""``roost sync``."""

from __future__ import annotations

from typing import Any

import click

from roost.cli.copying import (
    BOTH_WAYS,
    FROM_S3,
    HOW,
    QUIET,
    S3,
    TO_S3,
    job,
    options,
    session_for,
)
from roost.cli.options import json_option, take_over_option, yes_options
from roost.model.place import Place


@click.command("sync")
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@options(*BOTH_WAYS, *TO_S3, *FROM_S3, *HOW, *S3)
@click.option("--region", metavar="REGION", help="The region of the bucket.")
@click.option("--profile", metavar="PROFILE", help="The profile of your AWS credentials.")
@options(QUIET)
@json_option
@yes_options
@take_over_option
def command(source: str, target: str, **chosen: Any) -> None:
    """Make DST like SRC: a folder (here, or on a machine) and a place in S3.

    Files that are the same by size and time are not copied again; an interrupted sync
    continues where it was. Files appear whole or not at all; every byte that moves is compared by
    checksum. Times and executable bits are kept. GLOBs know * and ? in one part of a path,
    and ** across.

    NAME:PATH (or NAME/NODE:PATH) is a folder on a machine, from the home folder there if it does
    not begin with a slash. The machine copies by itself, even if this computer is off: the same
    command attaches to it again, and Ctrl-C ends it.

    \b
    Examples:
      roost sync frames/ s3://my-bucket/frames
      roost sync s3://my-bucket/frames frames/ --include '*.tif' --dry-run
      roost sync pixinsight:/data/results s3://my-bucket/results --verify
      roost sync results/ s3://my-bucket/results --verify --class GLACIER_IR
      roost sync movies/ s3://my-bucket/movies --watch --move
    """
    from roost.app.sync import judge, sync
    from roost.cli.output import write_json
    from roost.cli.text.sync import result_json, show_result

    session = session_for(Place(profile=chosen["profile"]), chosen)
    result = sync(session, job(chosen, source, target))
    if chosen["as_json"]:
        write_json(result_json(result))
    show_result(result, quiet=chosen["quiet"])
    judge([result])
