"""The cheapest way to park volumes for a pause of so many days. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from roost.cost.bill import Bill, Volumes
from roost.cost.book import PriceBook
from roost.cost.parking import Parked, parked
from roost.cost.rates import Amount
from roost.model.resources import State
from roost.parking.modes import ParkMode
from roost.plan.bill import charged, gb

HOURS_A_DAY = 24


@dataclass(frozen=True, slots=True)
class Option:
    """One way to park, for the whole pause.

    `days_charged` are the days of the pause, or the minimum of the storage where that is more;
    `total` is the storage of these days and what it costs to bring the data back.
    """

    parked: Parked
    days_charged: int
    total: Amount

    @property
    def name(self) -> str:
        """`snapshot`, or `s3 STANDARD_IA`."""
        parts = (self.parked.mode, self.parked.storage_class)
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Advice:
    """Every way to park; `best` is the cheapest whose price is known (None: none's is), and why."""

    days: int
    options: tuple[Option, ...]
    best: Option | None
    reason: str


@dataclass(frozen=True, slots=True)
class VolumeAdvice:
    """The advice for one data volume; `used_gib` is None where nobody knows it."""

    name: str
    size_gib: float
    used_gib: float | None
    advice: Advice


def advise_each(have: State, region: str, days: int, book: PriceBook) -> tuple[VolumeAdvice, ...]:
    """Advise on each volume of a name, by what is written to it where a copy of it tells."""
    used = {copy.name: copy.used_gib for copy in have.s3_copies}
    used |= {s.volume: s.used_gib for s in reversed(have.snapshots) if s.used_gib is not None}
    advices = []
    for volume in have.volumes:
        used_gib = used.get(volume.name)
        item = replace(charged(volume, region), used_gb=None if used_gib is None else gb(used_gib))
        advice = advise((item,), days, book)
        advices.append(VolumeAdvice(volume.name, volume.size_gib, used_gib, advice))
    return tuple(advices)


def advise(volumes: tuple[Volumes, ...], days: int, book: PriceBook) -> Advice:
    """Compare the ways to park these volumes for `days` days.

    Discarding the data is a row like the others, and never the advice. Of two that cost the same
    the simpler is best: keep, then a snapshot.
    ValueError where `days` is below 1.
    """
    if days < 1:
        raise ValueError(f"a pause of {days} days: it takes 1 day or more")
    options = tuple(_option(way, days, book) for way in parked(Bill(volumes), book))
    known = [o for o in options if o.parked.mode != ParkMode.DISCARD and o.total.known]
    best = min(known, key=lambda o: o.total.usd, default=None)
    return Advice(days, options, best, _reason(best, options, days))


def _option(way: Parked, days: int, book: PriceBook) -> Option:
    charged = max(days, way.minimum_days)
    months = Decimal(charged * HOURS_A_DAY) / book.hours_per_month
    storage, back = way.per_month.amount, way.coming_back.amount
    kept = replace(storage, usd=storage.usd * months)
    return Option(way, charged, kept + back)


def _reason(best: Option | None, options: tuple[Option, ...], days: int) -> str:
    if best is None:
        return "no way to keep the data has a known price here"
    kept = next(o for o in options if o.parked.mode == ParkMode.KEEP)
    parts = [f"{best.name}: {best.total} for {_days(days)}"]
    if best is kept:
        parts[0] += ": nothing else costs less"
    elif kept.total.known:
        parts[0] += f", {kept.total} if the volumes are kept"
    if best.days_charged > days:
        parts.append(f"it is charged for {best.days_charged} days at least")
    minimum = [o.name for o in options if o.days_charged > days and o is not best]
    if minimum:
        parts.append(f"a pause of {_days(days)} is shorter than the minimum of {_and(minimum)}")
    unknown = [o.name for o in options if not o.total.known]
    if unknown:
        parts.append(f"a price of {_and(unknown)} is unknown")
    return "; ".join(parts)


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def _and(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
