"""The machines that ``roost prices`` lists: ``schema/output/prices.schema.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.cli.output import table
from roost.cost.quotation import HOURS_PER_MONTH
from roost.cost.rates import Unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roost.cost.machines import Offer

HEADER = ("TYPE", "CPUS", "MEMORY GiB", "USD/HOUR", "USD/MONTH", "NOTE")


def offers_text(offers: Sequence[Offer]) -> str:
    """Write a line for each type, the cheapest first."""
    return table(HEADER, [_row(offer) for offer in offers], frozenset({1, 2, 3, 4}))


def _row(offer: Offer) -> tuple[str, ...]:
    found, price = offer.instance_type, offer.price
    if isinstance(price, Unknown):
        hour = month = "unknown"
    else:
        digits = max(4, -int(price.usd.normalize().as_tuple().exponent))
        hour = f"{price.usd:.{digits}f}"
        month = f"{price.usd * HOURS_PER_MONTH:,.2f}"
    return (found.name, str(found.vcpus), f"{found.memory_gib:g}", hour, month, offer.note)


def as_data(offer: Offer) -> dict[str, object]:
    """Return one type, for programs."""
    price, found = offer.price, offer.instance_type
    if isinstance(price, Unknown):
        cost: dict[str, object] = {"usd_per_hour": None, "source": price.reason, "date": None}
    else:
        cost = {"usd_per_hour": price.usd, "source": price.source, "date": price.date}
    return {
        "type": found.name,
        "region": offer.region,
        "cpus": found.vcpus,
        "memory_gib": found.memory_gib,
        "gpus": found.gpu_count,
        "architectures": found.architectures,
        **cost,
        "note": offer.note,
    }
