"""The cost of a bill of resources: running, stopped, parked, and for one use."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from roost.catalogue import Catalogue
from roost.cost.bill import Bill, Instances, Use
from roost.cost.book import PriceBook
from roost.cost.charges import lasting, paid_once
from roost.cost.parking import Parked, parked
from roost.cost.rates import Amount, Section, Unknown, section


@dataclass(frozen=True, slots=True)
class Estimate:
    """The cost of a bill, in USD before tax.

    `running` and `stopped` are per hour, without what is paid once (transfer, requests).
    `parked` is per month, one for each way to put the machines away. `use` is the whole use.
    A month is counted as `hours_per_month` hours; `day` is the day whose rules hold.
    """

    running: Section
    stopped: Section
    parked: tuple[Parked, ...]
    use: Section
    hours: Use
    hours_per_month: Decimal
    day: date
    notes: tuple[str, ...]


def estimate(bill: Bill, use: Use, book: PriceBook) -> Estimate:
    """Price a bill over a use; an item without a known price makes its sums "at least"."""
    whole_use = section((*lasting(bill, use, book), *paid_once(bill, book)))
    return Estimate(
        running=section(lasting(bill, Use(1, 1), book)),
        stopped=section(lasting(bill, Use(0, 1), book)),
        parked=parked(bill, book),
        use=whole_use,
        hours=use,
        hours_per_month=book.hours_per_month,
        day=book.day,
        notes=_notes(bill, whole_use, book),
    )


def burstable_notes(types: Iterable[str], catalogue: Catalogue) -> tuple[str, ...]:
    """Return what each burstable type costs beyond its price, and from when on."""
    found = ((kind, catalogue.cpu_credits(kind)) for kind in sorted(types))
    return tuple(
        f"{kind} is burstable: above {beyond.baseline_percent.normalize():f} % of its CPU, as the"
        f" day's average, it costs up to {Amount(beyond.usd_per_hour)} an hour more; counted here"
        for kind, beyond in found
        if beyond is not None
    )


def _notes(bill: Bill, use: Section, book: PriceBook) -> tuple[str, ...]:
    counted = f"a month is counted as {book.hours_per_month} hours"
    if book.site is not None:
        off = "stopped is shelved; a machine that is only off may cost as much as one that runs"
        if book.site.off == "stopped":
            off = (
                "stopped is off, as a machine stops by itself; `roost stop` shelves it, and so does"
                ' guard = "shelve" in [openstack]'
            )
        return (f"in {book.currency}, as {book.site.source} has it; {counted}", off)
    notes = [f"USD before tax; {counted}"]
    quotation = book.quotation
    if quotation is not None:
        others = {
            line.item
            for line in use.lines
            if not isinstance(line.price, Unknown)
            and line.price.usd
            and (line.price.source, line.price.date) != (quotation.source, quotation.date)
        }
        if others:
            notes.append(f"not from the quotation of {quotation.date}: {', '.join(sorted(others))}")
        return tuple(notes)
    machines = [item for item in bill.items if isinstance(item, Instances)]
    kinds = {item.instance_type for item in machines}
    notes += burstable_notes(kinds, book.catalogue)
    free = book.catalogue.free_tier()
    if book.day >= free.since and kinds.intersection(free.types):
        notes.append(f"the free tier: {free.text}")
    for place in sorted({(item.region, item.instance_type) for item in machines}):
        region = book.region(place[0])
        if region is not None and region.offered(place[1]) is False:
            notes.append(f"{place[0]} does not offer {place[1]}, though it may have a price")
    return tuple(notes)
