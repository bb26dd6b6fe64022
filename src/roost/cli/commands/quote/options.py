"""The options of every quote: where, for how long, and the numbers that are one's own."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, TypeVar

import click

from roost.cli.options import json_option

if TYPE_CHECKING:
    from roost.cost.quotes import Work

F = TypeVar("F", bound=Callable[..., Any])
LARGEST = Decimal(10) ** 9


def numbers(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, Decimal]:
    """Read RULE=NUMBER, each above 0."""
    del ctx, param
    found = {}
    for value in values:
        key, _, text = value.partition("=")
        try:
            number = Decimal(text.strip())
        except InvalidOperation:
            number = Decimal(0)
        if not (number.is_finite() and 0 < number <= LARGEST):
            raise click.BadParameter(f'"{value}": give RULE=NUMBER, with a number above 0')
        found[key.strip()] = number
    return found


def quote_options(function: F) -> F:
    """Add --region, --days, --set and --json."""
    function = json_option(function)
    function = click.option(
        "--set",
        "yours",
        multiple=True,
        metavar="RULE=NUMBER",
        callback=numbers,
        help="Your number instead of a rule's (repeatable); every quote lists its rules.",
    )(function)
    function = click.option(
        "--days",
        type=click.FloatRange(0, 3650, min_open=True),
        default=7,
        show_default=True,
        help="Days for which the data lies on the volume.",
    )(function)
    return click.option("--region", default="us-east-1", show_default=True, help="AWS region.")(
        function
    )


def show(work: Work, region: str, days: float, as_json: bool) -> None:
    """Price a work by today's list, and print it."""
    from roost.app.prices import todays_book
    from roost.cli.output import write_json
    from roost.cli.text.quote import as_data, quote_text
    from roost.cost.quotes import price
    from roost.providers.rules import check_region

    check_region(region)
    book = todays_book()
    quote = price(work, region, Decimal(str(days)), book)
    if as_json:
        write_json(as_data(quote))
        return
    source = book.catalogue.source.partition(",")[0]
    click.echo(quote_text(quote, f"{source} of {book.catalogue.published}, in {region}"))
