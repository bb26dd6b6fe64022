"""The prices that count today."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from roost.cost.book import PriceBook
    from roost.providers.provider import Cloud


def todays_book() -> PriceBook:
    """Return the shipped list prices, by the rules of today."""
    from datetime import UTC, datetime

    from roost.catalogue import load
    from roost.cost.book import PriceBook

    return PriceBook(load(), datetime.now(UTC).date())


def book_for(cloud: Cloud, record: str | None, day: date | None = None) -> PriceBook:
    """Return the prices of a name: those of its cloud, or that its own settings bring.

    Settings that cannot be read bring none.
    """
    from datetime import UTC, datetime

    from roost.errors import RoostError
    from roost.plan.bill import book_of
    from roost.spec import from_json

    spec = None
    if record:
        with suppress(RoostError):
            spec = from_json(record)
    return book_of(cloud.name, spec, day or datetime.now(UTC).date())
