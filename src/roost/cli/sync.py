"""``roost sync``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from roost.cli.options import json_option, yes_options

if TYPE_CHECKING:
    from roost.cli.sync_run import Wish

CLASSES = (
    *("STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING"),
    *("GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"),
)


@click.command("sync")
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@click.option("--include", multiple=True, metavar="GLOB", help="Only what fits (repeatable).")
@click.option("--exclude", multiple=True, metavar="GLOB", help="All but what fits (repeatable).")
@click.option("--delete", is_flag=True, help="Delete from DST what SRC does not have; asks first.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and what it would cost.")
@click.option("--checksum", is_flag=True, help="Compare contents, not sizes and times.")
@click.option("--verify", is_flag=True, help="Then prove every file in S3 by its checksum.")
@click.option("--move", is_flag=True, help="Delete the files from SRC that are proven in S3.")
@click.option("--watch", is_flag=True, help="Go on: copy files as soon as they are finished.")
@click.option(
    "--janitor",
    multiple=True,
    metavar="WASTE=WANTED",
    help="With --watch: delete WASTE once WANTED of the same * is proven in S3.",
)
@click.option("--class", "storage", type=click.Choice(CLASSES), help="S3's storage class.")
@click.option("--follow-symlinks", "follow", is_flag=True, help="Copy what symlinks lead to.")
@click.option(
    "--concurrency", type=click.IntRange(1, 256), default=32, show_default=True, help="At once."
)
@click.option("--endpoint-url", metavar="URL", help="Another S3 service than Amazon's.")
@click.option("--region", metavar="REGION", help="The region of the bucket.")
@click.option("--profile", metavar="PROFILE", help="The profile of your AWS credentials.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing while it goes well.")
@json_option
@yes_options
def command(source: str, target: str, **options: Any) -> None:
    """Make DST like SRC: a folder and a place in S3, whichever way.

    What is the same by size and time is not copied again; a sync that was cut short goes on
    where it was. Files appear whole or not at all; every byte that moves is compared by checksum.
    Times and executable bits are kept. GLOBs know * and ? in one part of a path, and ** across.

    \b
    Examples:
      roost sync frames/ s3://my-bucket/frames
      roost sync s3://my-bucket/frames frames/ --include '*.tif' --dry-run
      roost sync results/ s3://my-bucket/results --verify --class GLACIER_IR
      roost sync movies/ s3://my-bucket/movies --watch --move
    """
    from roost.cli.sync_run import run
    from roost.sync.entry import side

    run(side(source), side(target), wish(options))


def wish(options: dict[str, Any]) -> Wish:
    """What the options say."""
    from roost.cli.sync_run import Wish
    from roost.sync.job import Options
    from roost.sync.watch import janitor
    from roost.sync.where import where

    how = ("include", "exclude", "delete", "checksum", "follow", "storage", "concurrency")
    rest = ("dry_run", "verify", "move", "watch", "quiet", "as_json", "yes", "no_input")
    return Wish(
        options=Options(**{key: options[key] for key in how}),
        where=where(options["profile"], options["region"], options["endpoint_url"]),
        janitors=tuple(janitor(text) for text in options["janitor"]),
        **{key: options[key] for key in rest},
    )
