"""Money as ``--json`` shows it. What is not known is null, and never 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from roost.cost.rates import DOLLARS, Unknown

if TYPE_CHECKING:
    from roost.cost.rates import Amount, Line, Section

Data = dict[str, Any]


def amount_json(amount: Amount) -> Data:
    """Return ``usd`` as far as it is known: null where nothing is."""
    nothing = amount.at_least and not amount.usd
    return {
        **({"usd": None} if nothing else sum_json(amount)),
        "known": amount.known,
        "at_most": amount.at_most,
    }


def sum_json(amount: Amount) -> Data:
    """Return ``usd``; ``amount`` and ``currency`` where a site counts in another unit."""
    if amount.currency == DOLLARS:
        return {"usd": amount.usd}
    return {"usd": None, "amount": amount.usd, "currency": amount.currency}


def section_json(section: Section) -> Data:
    """Return the sum, and its lines."""
    return {**amount_json(section.amount), "lines": [line_json(line) for line in section.lines]}


def line_json(line: Line) -> Data:
    """Return one charge, with the source of its price; or why there is none."""
    price = line.price
    if isinstance(price, Unknown):
        rate: Data = {"unit": None, "usd_per_unit": None, "source": None, "date": None}
        note = price.reason
    else:
        rate = {
            "unit": price.unit,
            "usd_per_unit": price.usd if price.currency == DOLLARS else None,
            "source": price.source,
            "date": price.date,
        }
        note = line.note
    return {
        "item": line.item,
        "basis": line.basis,
        "quantity": line.quantity,
        **rate,
        **amount_json(line.amount),
        "note": note,
    }
