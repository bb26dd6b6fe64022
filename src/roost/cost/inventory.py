"""All resources that cost money, recorded or not: priced by the month. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from roost.cost.bill import Addresses, Bill, Instances, Snapshots, Use, Volumes
from roost.cost.book import PriceBook
from roost.cost.charges import lasting
from roost.cost.rates import Amount, Line, Section, Unknown, section, total

Charged = Instances | Volumes | Snapshots | Addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Some equal things of one name (most often one).

    `kind` is the provider's word (`volume`), `what` says in words what they are. `items` is what
    one of them is charged for, while it runs or (`running` false) lies there; `priced` false: what
    it costs is not known. `orphan`: the record of its name is gone. `end` is the command that ends
    the cost. Without a `name` they are not roost's.
    """

    kind: str
    ids: tuple[str, ...]
    what: str
    region: str
    name: str = ""
    items: tuple[Charged, ...] = ()
    running: bool = False
    priced: bool = True
    orphan: bool = False
    end: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """The resources of one region. `hints` are not roost's: unattached volumes, idle addresses.

    `unknown` says why it could not be looked at. `notes` are of what costs elsewhere: data in the
    user's buckets.
    """

    region: str
    found: tuple[Found, ...] = ()
    hints: tuple[Found, ...] = ()
    notes: tuple[str, ...] = ()
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """Things, and what they cost a month."""

    found: Found
    per_month: Section


@dataclass(frozen=True, slots=True)
class Audit:
    """All that costs, orphans first and then the dearest; `free` counts what costs nothing."""

    rows: tuple[Row, ...]
    hints: tuple[Row, ...]
    free: int
    per_month: Amount


def audit(inventories: Iterable[Inventory], book: PriceBook) -> Audit:
    """Price all of it; a region that is unknown makes the sum "at least"."""
    whole = tuple(inventories)
    rows = [Row(one, monthly(one, book)) for i in whole for one in merged(i.found)]
    hints = [Row(one, monthly(one, book)) for i in whole for one in merged(i.hints)]
    costing = tuple(sorted(filter(_costs, rows), key=_order))
    missing = Amount(Decimal(0), at_least=any(i.unknown for i in whole))
    return Audit(
        rows=costing,
        hints=tuple(sorted(hints, key=_order)),
        free=sum(len(row.found.ids) for row in rows if not _costs(row)),
        per_month=total([*(row.per_month.amount for row in costing), missing]),
    )


def monthly(found: Found, book: PriceBook) -> Section:
    """Return the price of a month of all of them as they are now."""
    month, count = book.hours_per_month, len(found.ids)
    use = Use(month if found.running else 0, month)
    lines = [] if found.priced else [_unpriced(found)]
    items = tuple(replace(item, count=item.count * count) for item in found.items)
    lines += lasting(Bill(items), use, book)
    return section(lines)


def merged(found: Iterable[Found]) -> tuple[Found, ...]:
    """Merge equal things into one, so that a thousand workers are one row."""
    ids: dict[Found, tuple[str, ...]] = {}
    for one in found:
        alike = replace(one, ids=())
        ids[alike] = (*ids.get(alike, ()), *one.ids)
    return tuple(replace(alike, ids=every) for alike, every in ids.items())


def _unpriced(found: Found) -> Line:
    reason = Unknown(f"roost has no price of a {found.kind}")
    amount = Amount(Decimal(0), at_least=True)
    return Line(found.what, f"{len(found.ids)} x", Decimal(len(found.ids)), reason, amount)


def _costs(row: Row) -> bool:
    return bool(row.per_month.amount.usd) or row.per_month.amount.at_least


def _order(row: Row) -> tuple[bool, Decimal, str, str, str]:
    found = row.found
    return (
        not found.orphan,
        -row.per_month.amount.usd,
        found.region,
        found.name,
        found.what,
    )
