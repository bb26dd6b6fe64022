"""What a file would make, in order, and what that would cost. Asks nobody, but for a difference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from roost.app import resolve
from roost.errors import UsageError, command_line

if TYPE_CHECKING:
    from roost.cost.estimate import Estimate
    from roost.model.place import Place
    from roost.model.resources import State, Wanted
    from roost.plan.up import Plan
    from roost.providers.provider import Location
    from roost.session import Session
    from roost.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How a file is going to be used, and by which quotation it is priced."""

    hours_a_day: Decimal
    days: int
    quotation: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What a spec wants, what is there, the steps between, and the cost.

    ``cost`` is None where roost has no prices, or nothing costs anything. ``priced_elsewhere`` are
    commands that price the same on a cloud that the file is ready for, with the cloud's title.
    """

    spec: Spec
    location: Location
    wanted: Wanted
    have: State
    plan: Plan
    cost: Estimate | None
    priced_elsewhere: tuple[tuple[str, str], ...] = ()


def planned(session: Session, target: str | None, usage: Usage, *, diff: bool) -> Planned:
    """Plan a file or name from nothing; with ``diff``, from what runs now.

    Raises UsageError where the file is wrong, or a region is named and its cloud has none.
    """
    from roost.model.resources import State
    from roost.plan.up import plan_up
    from roost.providers.registry import location_of

    _check_region(session.place)
    file = target or resolve.DEFAULT_FILE
    spec = resolve.spec_of(session, target)
    location = location_of(spec)
    if session.place.region is not None and location.region is None:
        raise _no_region(spec, file, session.place.region)
    wanted = resolve.wanted_for(spec)
    have = resolve.connect(session, spec).observe(spec.name) if diff else State(name=spec.name)
    return Planned(
        spec=spec,
        location=location,
        wanted=wanted,
        have=have,
        plan=_with_warnings(plan_up(wanted, have), spec, file),
        cost=_estimate(wanted, location, usage),
        priced_elsewhere=() if location.rents else _priced_elsewhere(spec, file),
    )


def _check_region(place: Place) -> None:
    """Raises UsageError where no provider that is meant has the named region."""
    from roost.providers.registry import providers

    if place.region is None:
        return
    refused: UsageError | None = None
    for provider in providers():
        if provider.regional and place.cloud in (None, provider.name):
            try:
                return provider.check_region(place.region)
            except UsageError as error:
                refused = refused or error
    if refused is not None:
        raise refused


def _no_region(spec: Spec, file: str, region: str) -> UsageError:
    from roost.providers.registry import providers

    regional = next(p.name for p in providers() if p.regional)
    return UsageError(
        f'the cloud is "{spec.cloud}", and roost knows no regions of it',
        next=command_line("roost", "plan", file, "--cloud", regional, "--region", region),
    )


def _with_warnings(plan: Plan, spec: Spec, file: str) -> Plan:
    """The plan, with what the machines would lack."""
    from roost.providers.registry import PROVIDERS, provider_of

    rights = provider_of(spec.cloud).rights if spec.cloud in PROVIDERS else None
    if rights is None:
        return plan
    notes = [f"{w.verdict}: {w.text} ({_as_code(w.mend)})" for w in rights.warnings(spec, file)]
    return replace(plan, notes=(*plan.notes, *notes))


def _as_code(mend: str | None) -> str:
    """The command of a mend between backticks; what follows three blanks says what it does."""
    command, _, about = (mend or "").partition("   ")
    return f"`{command}` {about.strip('()')}"


def _estimate(wanted: Wanted, location: Location, usage: Usage) -> Estimate | None:
    """The cost by the shipped list; None where it has no prices of that cloud."""
    if not location.priced or location.region is None:
        return None
    from roost.catalogue import load
    from roost.cost.bill import Use
    from roost.cost.book import PriceBook
    from roost.cost.estimate import estimate
    from roost.cost.quotation import read_quotation
    from roost.plan.bill import bill_of

    quotation = read_quotation(usage.quotation) if usage.quotation else None
    book = PriceBook(load(), date.today(), quotation)
    use = Use.daily(usage.hours_a_day, usage.days)
    return estimate(bill_of(wanted, location.region), use, book)


def _priced_elsewhere(spec: Spec, file: str) -> tuple[tuple[str, str], ...]:
    from roost.providers.registry import providers

    return tuple(
        (provider.title, command_line("roost", "plan", file, "--cloud", provider.name))
        for provider in providers()
        if provider.location(spec).priced
    )
