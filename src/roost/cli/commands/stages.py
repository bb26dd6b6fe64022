"""``roost stages``."""

from __future__ import annotations

from datetime import timedelta

import click

from roost.cli.options import cloud_option, file_argument, json_option, span
from roost.cli.output import write_json
from roost.cli.terminal import session as open_session
from roost.model.place import Place


@click.command("stages")
@file_argument
@cloud_option
@click.option("--region", help="Instead of the file's AWS region.")
@click.option(
    "--change",
    callback=span,
    metavar="TIME",
    default="5m",
    show_default=True,
    help="What a change of machine takes: stop, change, start, until you work again.",
)
@json_option
def command(
    target: str | None, cloud: str | None, region: str | None, change: timedelta, as_json: bool
) -> None:
    """Say for which stages of work another machine pays, and what each change takes.

    The file's [[stages]] say what each needs and how long it takes. Compared are one machine for
    all, another one for each stage, and the cheapest of all ways. Needs no account.

    \b
    Examples:
      roost stages examples/scipion.toml
      roost stages examples/scipion.toml --change 20m
    """
    from roost.app.stages import advised
    from roost.cli.text.stages import as_data, stages_text

    found = advised(open_session(Place(cloud, region)), target, change)
    if as_json:
        write_json(as_data(found))
        return
    click.echo(stages_text(found))
