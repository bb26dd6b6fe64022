"""The prices that count today."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roost.cost.book import PriceBook


def todays_book() -> PriceBook:
    """Return the shipped list prices, by the rules of today."""
    from datetime import UTC, datetime

    from roost.catalogue import load
    from roost.cost.book import PriceBook

    return PriceBook(load(), datetime.now(UTC).date())
