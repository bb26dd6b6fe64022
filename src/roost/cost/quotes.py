"""What a piece of work will take: disk, memory, hours and cost, by rules that can be looked up.

A rule is one number with its source. Each can be replaced by the user's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal

from roost.cost.bill import Addresses, Bill, Use, Volumes
from roost.cost.book import PriceBook
from roost.cost.charges import lasting
from roost.cost.machines import why_none
from roost.cost.needs import Needs
from roost.cost.rates import ZERO, Amount, Section, section
from roost.cost.stages import Advice, Stage, Terms, advise, machines_for
from roost.errors import RoostError, UsageError

GIB = Decimal(2**30)
BOOT_GB, VOLUME = 30, "gp3"
CHANGE_HOURS = Decimal(5) / 60
"""A change of machine between two stages, as `roost stages` counts it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One number: what it says, and who says so; without a source it is roost's own assumption."""

    key: str
    value: Decimal
    says: str
    source: str = ""
    yours: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the disk: how much, and the sum that it comes from."""

    what: str
    basis: str
    gib: Decimal


@dataclass(frozen=True, slots=True)
class Task:
    """One stage of the work: what its machine must have, and for how long."""

    name: str
    needs: Needs
    hours: Decimal
    basis: str


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of work, before its price."""

    title: str
    disk: tuple[Part, ...]
    tasks: tuple[Task, ...]
    rules: tuple[Rule, ...]

    @property
    def volume_gb(self) -> int:
        """The volume to ask for: all parts and the margin, in whole GB, as EBS counts them."""
        margin = next(rule.value for rule in self.rules if rule.key == "margin")
        whole = sum((part.gib for part in self.disk), Decimal(0)) * margin
        return int(whole.to_integral_value(ROUND_CEILING))


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of a work: its machines by stage, and what lies there for some days.

    ``machines`` are those of the cheapest way; ``one`` are the same on one machine for all.
    """

    work: Work
    region: str
    days: Decimal
    advice: Advice
    stored: Section

    @property
    def total(self) -> Amount:
        """The cost in all, the cheapest way."""
        return self.advice.best.cost + self.stored.amount

    @property
    def total_on_one(self) -> Amount | None:
        """The cost in all on one machine; None where no machine fits all stages."""
        one = self.advice.one
        return None if one is None else one.cost + self.stored.amount


class Numbers:
    """The rules of a work, some of them replaced. Raises UsageError for a rule there is not."""

    def __init__(self, rules: Sequence[Rule], yours: Mapping[str, Decimal]) -> None:
        known = {rule.key: rule for rule in rules}
        for key in yours:
            if key not in known:
                raise UsageError(f"no rule is called {key!r}; there are: {', '.join(known)}")
        self._rules = {
            key: replace(rule, value=yours[key], source="", yours=True) if key in yours else rule
            for key, rule in known.items()
        }

    def __getitem__(self, key: str) -> Decimal:
        return self._rules[key].value

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All of them, as they are used."""
        return tuple(self._rules.values())


def part(what: str, basis: str, size: Decimal) -> Part:
    """Return a part of the disk of so many bytes."""
    return Part(what, basis, size / GIB)


def memory(gib: Decimal) -> float:
    """Return whole GiB, so that the file says a round number."""
    return float(gib.to_integral_value(ROUND_CEILING))


def price(work: Work, region: str, days: Decimal, book: PriceBook) -> Quote:
    """Price a work that lies there for some days. Raises RoostError where no machine does it."""
    stages = []
    for task in work.tasks:
        found = machines_for(book.catalogue, region, task.needs)
        if not found:
            reason = why_none(book.catalogue, region, task.needs).reason
            raise RoostError(f"{task.name}: {reason}")
        stages.append(Stage(task.name, task.hours, found))
    advice = advise(stages, Terms(CHANGE_HOURS, ZERO))
    hours = advice.best.hours
    disks = (Volumes(work.volume_gb, region, VOLUME), Volumes(BOOT_GB, region, VOLUME))
    use = Use(hours, max(hours, days * 24))
    return Quote(
        work=work,
        region=region,
        days=use.hours_existing / Decimal(24),
        advice=advice,
        stored=section(lasting(Bill((*disks, Addresses(region))), use, book)),
    )
