"""``roost plan``."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import click

from roost.cli.options import cloud_option, file_argument, json_option, size
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.model.place import Place


@click.command("plan")
@file_argument
@cloud_option
@click.option("--region", help="Instead of the file's AWS region.")
@click.option(
    "--hours",
    type=click.FloatRange(0, 24),
    default=4,
    show_default=True,
    help="Hours a day of use.",
)
@click.option(
    "--days",
    type=click.FloatRange(0, min_open=True),
    default=30,
    show_default=True,
    help="Days that it exists; half a day is 0.5.",
)
@click.option(
    "--out",
    "out_gib",
    callback=size,
    metavar="SIZE",
    help='Data sent to the internet in all: "50GB".',
)
@click.option(
    "--quotation",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Prices from this file instead of the shipped list, to replay a quotation.",
)
@click.option("--diff", is_flag=True, help="Against what runs now, instead of from nothing.")
@click.option("--details", is_flag=True, help="Every line of the estimate, and all its sources.")
@json_option
def command(  # noqa: PLR0913 - one parameter for each option
    target: str | None,
    cloud: str | None,
    region: str | None,
    hours: float,
    days: float,
    out_gib: float | None,
    quotation: Path | None,
    diff: bool,
    details: bool,
    as_json: bool,
) -> None:
    """Say what a file will create, in order, and what it will cost. Needs no account.

    \b
    Examples:
      roost plan examples/ndvi.toml
      roost plan examples/ndvi.toml --cloud aws --hours 6 --days 5
      roost plan examples/training.toml --hours 8 --days 2 --details
      roost plan examples/prices/course-2022.toml --quotation examples/prices/training-2022.toml
      roost plan examples/pixinsight.toml --days 2.5 --out 200GB
      roost plan examples/ndvi.toml --diff
    """
    from roost.app.plan import Usage, planned

    usage = Usage(
        hours_a_day=Decimal(str(hours)),
        days=Decimal(str(days)),
        out_gib=Decimal(str(out_gib or 0)),
        quotation=quotation,
    )
    result = planned(open_session(Place(cloud, region)), target, usage, diff=diff)
    if as_json:
        from roost.cli.text.plan_json import as_data

        write_json(as_data(result))
        return
    from roost.cli.text.plan import cost_text, steps_text

    click.echo(steps_text(result))
    click.echo("\n" + cost_text(result, details))
    for title, words in result.priced_elsewhere:
        say(f"\nWhat the same costs on {title}: {words}")
