"""The cost of a name so far, per hour now, and by its end. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from roost.cost.bill import (
    Addresses,
    Bill,
    BillItem,
    Instances,
    Number,
    Snapshots,
    Use,
    Volumes,
)
from roost.cost.book import PriceBook
from roost.cost.charges import lasting
from roost.cost.ledger import Copy, Disk, Ledger, Machine, Seen, Thing, lasted, reconciled
from roost.cost.rates import Amount, Line, Section, section

WARN_PERCENT = 80
"""The share of the budget from which roost warns."""
HOUR = 3600
_KINDS: tuple[type, ...] = (Machine, Disk, Copy)


@dataclass(frozen=True, slots=True)
class There:
    """The resources of one name in the cloud now.

    `fixed` are the Elastic IP addresses: since when a running machine uses each (None: none does).
    `began` is since when the name exists, as far as the cloud says it; `now` is now. `public`:
    running machines have a public address.
    """

    seen: tuple[Seen, ...]
    began: int
    now: int
    fixed: tuple[int | None, ...] = ()
    public: bool = True


@dataclass(frozen=True, slots=True)
class Spent:
    """The cost so far, at least and at most, in USD before tax; equal where every time is known."""

    least: Section
    most: Section

    @property
    def exact(self) -> bool:
        """True if the range is a single number."""
        return self.least.amount == self.most.amount

    def __str__(self) -> str:
        if self.exact:
            return str(self.most.amount)
        least = replace(self.least.amount, at_least=False, at_most=False)
        return f"between {least} and {_upper(self.most.amount)}"


@dataclass(frozen=True, slots=True)
class Cost:
    """The answer of `roost cost`. `per_hour` is now; `until_end` is from now to the end time."""

    spent: Spent
    per_hour: Section
    until_end: Amount | None
    notes: tuple[str, ...]


def cost(
    ledger: Ledger, there: There, region: str, book: PriceBook, end: int | None = None
) -> Cost:
    """Return the cost of one name; `end` is the end time in seconds since 1970."""
    rate = per_hour(there, region, book)
    left = None if end is None or end <= there.now else hours(end - there.now)
    return Cost(
        spent=spent(ledger, there, region, book),
        per_hour=rate,
        until_end=None if left is None else scaled(rate.amount, left),
        notes=_notes(ledger, there, book),
    )


def spent(ledger: Ledger, there: There, region: str, book: PriceBook) -> Spent:
    """Return all costs so far, by kind."""
    whole = reconciled(ledger, there.seen, there.now)
    ranges = lasted(whole, there.now)
    sides = []
    for side, idle in ((0, 0), (1, _idle(whole, there))):
        seconds = {thing: both[side] for thing, both in ranges.items()}
        sides.append(section(_lines(there, seconds, idle, region, book, full_load=bool(side))))
    if whole.damaged:
        lost = Amount(Decimal(0), at_least=True)
        sides = [Section(side.lines, side.amount + lost) for side in sides]
    return Spent(*sides)


def _idle(whole: Ledger, there: There) -> int:
    """Return the most seconds for which Elastic IPs were kept by no running machine.

    The cloud does not say since when it keeps an address: from the first machine on, at most.
    """
    first = min((batch.since for batch in whole.batches), default=there.began)
    first = min(first, there.began) if whole.sums else first
    return sum(max(0, (there.now if used is None else used) - first) for used in there.fixed)


def per_hour(there: There, region: str, book: PriceBook) -> Section:
    """Price an hour of all that exists now."""
    seconds: dict[Thing, int] = {}
    for one in there.seen:
        if one.on:
            seconds[one.thing] = seconds.get(one.thing, 0) + HOUR
    return section(_lines(there, seconds, HOUR * there.fixed.count(None), region, book))


def _lines(
    there: There,
    seconds: dict[Thing, int],
    idle: int,
    region: str,
    book: PriceBook,
    *,
    full_load: bool = True,
) -> list[Line]:
    """Price things that existed for `seconds`, and Elastic IPs that were idle for `idle`.

    With `full_load`, burstable machines are counted as if their CPUs never rested. The address of
    a running machine costs the same whichever kind it is.
    """
    running = sum(s for thing, s in seconds.items() if isinstance(thing, Machine) and there.public)
    used, unused = hours(running), hours(idle)
    return [
        *_things(seconds, region, book, full_load=full_load),
        *lasting(Bill((Addresses(region),)), Use(used, used), book),
        *lasting(Bill((Addresses(region, elastic=True),)), Use(0, unused), book),
    ]


def _things(
    seconds: dict[Thing, int], region: str, book: PriceBook, *, full_load: bool
) -> list[Line]:
    found: list[Line] = []
    for thing, lasted_s in sorted(seconds.items(), key=lambda one: _KINDS.index(type(one[0]))):
        long = hours(lasted_s)
        use = Use(long, long) if isinstance(thing, Machine) else Use(0, long)
        found += lasting(Bill((_item(thing, region, full_load=full_load),)), use, book)
    return found


def _item(thing: Thing, region: str, *, full_load: bool) -> BillItem:
    match thing:
        case Machine(name, spot):
            return Instances(name, region, 1, spot, full_load)
        case Disk(name, gb, iops, throughput):
            return Volumes(gb, region, name, 1, iops, throughput)
        case Copy(gb, tier):
            return Snapshots(gb, region, 1, tier)


def hours(seconds: int) -> Number:
    """Convert to hours, to a ten-thousandth (a third of a second); a whole number as an int."""
    found = (Decimal(seconds) / HOUR).quantize(Decimal("0.0001"))
    return int(found) if found == int(found) else found.normalize()


def scaled(amount: Amount, factor: Number) -> Amount:
    """Multiply an amount; an unknown part stays unknown."""
    return replace(amount, usd=amount.usd * factor)


def rate_per_hour(bill: Bill, book: PriceBook) -> tuple[Decimal | None, Decimal | None]:
    """Return the USD per hour of a bill's machines while they run, and while they are stopped.

    A machine counts its own money with them, so they are the most it can be: None where a part
    has no known price.
    """
    both = (section(lasting(bill, use, book)).amount for use in (Use(1, 1), Use(0, 1)))
    running, stopped = (amount.usd if amount.known else None for amount in both)
    return running, stopped


# --- the budget ---------------------------------------------------------------------------------

BudgetState = Literal["within", "warning", "used up"]


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """The used part of a budget; the percents are whole numbers, rounded down."""

    budget: Amount
    least_percent: int
    most_percent: int
    state: BudgetState


def budget_use(budget: Amount, so_far: Spent) -> BudgetUse | None:
    """Compare the budget with the most that may have been spent; None in another currency."""
    amounts = (so_far.least.amount, so_far.most.amount)
    if any(one.usd and one.currency != budget.currency for one in amounts):
        return None
    least, most = (int(one.usd * 100 / budget.usd) for one in amounts)
    state: BudgetState = "within"
    if most >= WARN_PERCENT:
        state = "warning" if most < 100 else "used up"
    return BudgetUse(budget, least, most, state)


# --- unknown parts -------------------------------------------------------------------------------


def _notes(ledger: Ledger, there: There, book: PriceBook) -> tuple[str, ...]:
    notes = []
    whole = reconciled(ledger, there.seen, there.now)
    vague = {
        _called(batch.thing)
        for batch in whole.batches
        if any(ending.least != ending.most for ending in batch.endings)
    } | {_called(one.thing) for one in whole.sums if one.least != one.most}
    if vague:
        notes.append(
            f"a range, because it is not known when some ended ({', '.join(sorted(vague))}): "
            "they stopped by themselves or were ended without roost"
        )
    things = {batch.thing for batch in whole.batches} | {one.thing for one in whole.sums}
    machines = {thing for thing in things if isinstance(thing, Machine)}
    types = {m.type for m in machines} if book.site is None else set()
    bursting = sorted(kind for kind in types if book.catalogue.cpu_credits(kind))
    if bursting:
        notes.append(
            f"a range, because {', '.join(bursting)} is burstable: what its CPUs did above their"
            " baseline is charged too, and only AWS knows it"
        )
    if _idle(whole, there):
        notes.append("a range, because it is not known since when the fixed addresses are kept")
    if whole.damaged:
        notes.append("a part of the history is lost: it cost more than that")
    if any(machine.spot for machine in machines):
        notes.append("spot machines are counted at the on-demand price, the most they can cost")
    return tuple(notes)


def _called(thing: Thing) -> str:
    match thing:
        case Machine(name, _):
            return name
        case Disk(name, gb, _, _):
            return f"{name} volume of {gb} GB"
        case Copy(gb, _):
            return f"snapshot of {gb} GB"


def _upper(amount: Amount) -> str:
    """Return the upper end of a range; an unknown part can be beyond it."""
    beyond = ", and what is unknown" if amount.at_least else ""
    return f"{replace(amount, at_least=False, at_most=False)}{beyond}"
