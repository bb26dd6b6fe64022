"""``roost quote astro``."""

from __future__ import annotations

from decimal import Decimal

import click

from roost.cli.commands.quote.options import quote_options, show


@click.command("astro")
@click.option("--subs", type=click.IntRange(1, 1_000_000), required=True, help="Pictures to stack.")
@click.option(
    "--megapixels",
    type=click.FloatRange(0, 1000, min_open=True),
    required=True,
    help="The camera's megapixels.",
)
@click.option("--mono", is_flag=True, help="A monochrome camera; else one of colour.")
@click.option(
    "--filters",
    type=click.IntRange(1, 20),
    default=1,
    show_default=True,
    help="Filters: a master of each.",
)
@click.option(
    "--drizzle",
    type=click.IntRange(1, 4),
    is_flag=False,
    flag_value=2,
    default=1,
    metavar="[SCALE]",
    help="Drizzle, at this scale (2 where none is said).",
)
@quote_options
def command(  # noqa: PLR0913 - one parameter for each option
    subs: int,
    megapixels: float,
    mono: bool,
    filters: int,
    drizzle: int,
    region: str,
    days: float,
    yours: dict[str, Decimal],
    as_json: bool,
) -> None:
    """Say what the stacking of pictures in PixInsight takes.

    \b
    Examples:
      roost quote astro --subs 50 --megapixels 24 --drizzle
      roost quote astro --subs 400 --megapixels 61 --mono --filters 4 --set edit_hours=10
    """
    from roost.cost.quote_astro import Pictures, astro

    pictures = Pictures(subs, Decimal(str(megapixels)).normalize(), mono, filters, drizzle)
    show(astro(pictures, yours), region, days, as_json)
