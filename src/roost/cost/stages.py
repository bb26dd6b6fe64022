"""Stages of work in a row: one machine for all, one for each, or the cheapest of all ways. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from roost.catalogue import Catalogue
from roost.cost.machines import cheapest
from roost.cost.needs import Needs
from roost.cost.rates import Amount, Rate


@dataclass(frozen=True, slots=True)
class Priced:
    """A type of machine, and its price per hour."""

    type: str
    rate: Rate

    @property
    def usd(self) -> Decimal:
        """USD an hour."""
        return self.rate.usd


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage, its hours, and the machines that it can run on, the cheapest first."""

    name: str
    hours: Decimal
    machines: tuple[Priced, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a change of machine takes, and what the name costs an hour beside its machine.

    ``rest`` are disks, volumes and addresses: they cost whatever the machine is.
    """

    change_hours: Decimal
    rest: Amount


@dataclass(frozen=True, slots=True)
class Leg:
    """Stages in a row on one machine."""

    stages: tuple[str, ...]
    machine: Priced
    hours: Decimal


@dataclass(frozen=True, slots=True)
class Way:
    """All stages, each on some machine: how long that takes with its changes, and what it costs."""

    legs: tuple[Leg, ...]
    hours: Decimal
    cost: Amount

    @property
    def changes(self) -> int:
        """How often the machine changes."""
        return len(self.legs) - 1

    def machine(self, stage: str) -> Priced:
        """Return the machine of a stage."""
        return next(leg.machine for leg in self.legs if stage in leg.stages)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One stage: the cheapest machine for it alone, and the one that the cheapest way gives it.

    ``change``: the machine changes before it. ``saves`` is what its hours cost less there than on
    the one machine for all, before the changes. ``pays_from`` are the hours from which its own
    machine pays for the change to it and the one back; None where it is no cheaper.
    """

    stage: Stage
    own: Priced
    advised: Priced
    change: bool
    saves: Decimal | None
    pays_from: Decimal | None


@dataclass(frozen=True, slots=True)
class Advice:
    """The ways compared. ``one`` is None where no machine fits all stages."""

    one: Way | None
    each: Way
    best: Way
    verdicts: tuple[Verdict, ...]
    terms: Terms


def machines_for(catalogue: Catalogue, region: str, needs: Needs) -> tuple[Priced, ...]:
    """Return the types with a known price that fit, the cheapest first."""
    offers = cheapest(catalogue, region, needs)
    return tuple(
        Priced(offer.instance_type.name, offer.price)
        for offer in offers
        if isinstance(offer.price, Rate)
    )


def advise(stages: Sequence[Stage], terms: Terms) -> Advice:
    """Compare the ways; each stage must have a machine, or ValueError."""
    if not stages or not all(stage.machines for stage in stages):
        raise ValueError("a stage without a machine")
    shared = _shared(stages)
    one = None if shared is None else way(stages, [shared] * len(stages), terms)
    best = _best(stages, terms)
    return Advice(
        one=one,
        each=way(stages, [stage.machines[0] for stage in stages], terms),
        best=best,
        verdicts=tuple(_verdict(at, stages, best, terms) for at in range(len(stages))),
        terms=terms,
    )


def way(stages: Sequence[Stage], machines: Sequence[Priced], terms: Terms) -> Way:
    """Return the way in which each stage has this machine; equal neighbours need no change.

    A change is counted at the price of the machine that it leads to, and with all the rest.
    """
    legs: list[Leg] = []
    for stage, machine in zip(stages, machines, strict=True):
        if legs and legs[-1].machine == machine:
            last = legs.pop()
            legs.append(Leg((*last.stages, stage.name), machine, last.hours + stage.hours))
        else:
            legs.append(Leg((stage.name,), machine, stage.hours))
    hours = sum((leg.hours for leg in legs), Decimal(0)) + terms.change_hours * (len(legs) - 1)
    usd = sum((leg.machine.usd * leg.hours for leg in legs), Decimal(0))
    usd += sum((after.machine.usd * terms.change_hours for _, after in pairwise(legs)), Decimal(0))
    rest = Amount(terms.rest.usd * hours, terms.rest.at_least, terms.rest.at_most)
    return Way(tuple(legs), hours, Amount(usd) + rest)


def _shared(stages: Sequence[Stage]) -> Priced | None:
    """Return the cheapest machine on which all of these run; None where there is none."""
    names = set.intersection(*({m.type for m in stage.machines} for stage in stages))
    return next((m for m in stages[0].machines if m.type in names), None)


def _best(stages: Sequence[Stage], terms: Terms) -> Way:
    """Return the cheapest of all ways; of equals the one with the fewest changes.

    Any way is a row of legs, each best on the cheapest machine that its stages share: so the
    cheapest way to the end of a stage is the cheapest way to an earlier one, and one leg more.
    """
    reached: list[tuple[Priced, ...]] = [()]
    for end in range(1, len(stages) + 1):
        ways = [
            (*reached[start], *[machine] * (end - start))
            for start in range(end)
            if (machine := _shared(stages[start:end])) is not None
        ]
        reached.append(
            min(ways, key=lambda machines: _order(stages[: len(machines)], machines, terms))
        )
    return way(stages, reached[-1], terms)


def _order(
    stages: Sequence[Stage], machines: Sequence[Priced], terms: Terms
) -> tuple[Decimal, int]:
    found = way(stages, machines, terms)
    return found.cost.usd, found.changes


def _verdict(at: int, stages: Sequence[Stage], best: Way, terms: Terms) -> Verdict:
    stage, shared = stages[at], _shared(stages)
    own, advised = stage.machines[0], best.machine(stage.name)
    saves = pays_from = None
    if shared is not None:
        saves = (shared.usd - advised.usd) * stage.hours
        to_it = [] if at == 0 else [own]
        back = [] if at == len(stages) - 1 else [shared]
        changes = sum((m.usd + terms.rest.usd for m in (*to_it, *back)), Decimal(0))
        if own.usd < shared.usd:
            pays_from = changes * terms.change_hours / (shared.usd - own.usd)
    change = stage.name in {leg.stages[0] for leg in best.legs[1:]}
    return Verdict(stage, own, advised, change, saves, pays_from)
