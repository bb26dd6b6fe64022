"""Show the steps that a file needs, in order, and their cost. Only a difference asks the cloud."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from roost.app import resolve
from roost.errors import UsageError, command_line

if TYPE_CHECKING:
    from roost.cost.bill import Bill
    from roost.cost.book import PriceBook
    from roost.cost.estimate import Estimate
    from roost.model.resources import State, Wanted
    from roost.plan.up import Plan
    from roost.providers.rules import Rules
    from roost.session import Session
    from roost.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The intended use of a file, and the quotation that prices it.

    ``out_gib`` is what is sent to the internet in all.
    """

    hours_a_day: Decimal
    days: Decimal
    out_gib: Decimal = Decimal(0)
    quotation: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The wanted state of a spec, the present state, the steps between, and the cost.

    ``cost`` is None where roost has no prices, or nothing costs anything; ``change``
    is what is there now, and after `up`; None where no machine is there. ``priced_elsewhere`` are
    commands that price the same on a cloud that the file is ready for, with the cloud's title.
    """

    spec: Spec
    rules: Rules
    wanted: Wanted
    have: State
    plan: Plan
    cost: Estimate | None
    change: tuple[Estimate, Estimate] | None = None
    priced_elsewhere: tuple[tuple[str, str], ...] = ()


def planned(session: Session, target: str | None, usage: Usage, *, diff: bool) -> Planned:
    """Plan a file or name from nothing; with ``diff``, from what runs now.

    Raises UsageError where the file is wrong, or a region is named and its cloud has none.
    """
    from roost.model.resources import State
    from roost.plan.up import plan_up
    from roost.providers.rules import check_region, rules_of

    if session.place.region is not None:
        check_region(session.place.region)
    file = target or resolve.DEFAULT_FILE
    spec = resolve.spec_of(session, target)
    rules = rules_of(spec.cloud)
    if session.place.region is not None and rules.regions is None:
        raise _no_region(spec, file, session.place.region)
    wanted, have = resolve.wanted_for(spec), State(name=spec.name)
    if diff:
        cloud = resolve.connect(session, spec)
        have = cloud.observe(spec.name)
        wanted = resolve.fitted(cloud, spec, have)
    return Planned(
        spec=spec,
        rules=rules,
        wanted=wanted,
        have=have,
        plan=_with_warnings(plan_up(wanted, have), spec, file),
        cost=_estimate(spec, wanted, usage),
        change=_change(spec, wanted, have, usage),
        priced_elsewhere=() if rules.rents else _priced_elsewhere(spec, file),
    )


def _change(
    spec: Spec, wanted: Wanted, have: State, usage: Usage
) -> tuple[Estimate, Estimate] | None:
    """Estimate the cost of what is there, and of what is there after `up`."""
    from roost.plan.bill import as_it_is, as_it_will_be
    from roost.spec import from_json

    if not have.instances or not have.record:
        return None
    made = resolve.wanted_for(from_json(have.record))
    now = _estimate(spec, as_it_is(made, have), usage)
    then = _estimate(spec, as_it_will_be(wanted, have), usage)
    return (now, then) if now is not None and then is not None else None


def _no_region(spec: Spec, file: str, region: str) -> UsageError:
    from roost.providers.rules import regional

    other = regional(spec.cloud)
    cloud = other.name if other is not None else spec.cloud
    return UsageError(
        f'the cloud is "{spec.cloud}", and roost knows no regions of it',
        next=command_line("roost", "plan", file, "--cloud", cloud, "--region", region),
    )


def _with_warnings(plan: Plan, spec: Spec, file: str) -> Plan:
    """Add warnings to the plan: of what the machines would lack, and of an end that has passed."""
    from roost.app.ends import past_end
    from roost.providers.registry import PROVIDERS, provider_of

    passed = past_end(spec)
    notes = [f"warning: {passed}; `roost up` refuses it"] if passed else []
    rights = provider_of(spec.cloud).rights if spec.cloud in PROVIDERS else None
    if rights is not None:
        notes += [
            f"{w.verdict}: {w.text} ({_as_code(w.mend)})" for w in rights.warnings(spec, file)
        ]
    return replace(plan, notes=(*plan.notes, *notes))


def _as_code(mend: str | None) -> str:
    """Put the command of a fix between backticks; three blanks separate it from its explanation."""
    command, _, about = (mend or "").partition("   ")
    return f"`{command}` {about.strip('()')}"


def _estimate(spec: Spec, wanted: Wanted, usage: Usage) -> Estimate | None:
    """Estimate the cost by the shipped list; None where it has no prices of that cloud."""
    from roost.plan.bill import bill_for, book_of

    bill = bill_for(spec, wanted)
    if bill is None:
        return None
    from roost.cost.bill import Bill, Egress, Use
    from roost.cost.estimate import estimate
    from roost.cost.quotation import read_quotation
    from roost.providers.rules import rules_of

    quotation = read_quotation(usage.quotation) if usage.quotation else None
    book = book_of(spec.cloud, spec, date.today(), quotation)
    use = Use.daily(usage.hours_a_day, usage.days)
    region = rules_of(spec.cloud).price_region(spec)
    if usage.out_gib and region is not None:
        bill += Bill((Egress(usage.out_gib, region),))
    found = estimate(bill, use, book)
    notes = (*found.notes, *_a_seat(spec, bill, found, book), *_sending(spec, usage, region, book))
    return replace(found, notes=notes)


def _a_seat(spec: Spec, bill: Bill, course: Estimate, book: PriceBook) -> tuple[str, ...]:
    """Return what a seat of a class costs over the whole use, and what all do if nobody comes."""
    if spec.kind != "classroom":
        return ()
    from roost.cost.bill import Use
    from roost.cost.estimate import estimate
    from roost.cost.spent import scaled

    shared = " and ".join(
        text
        for text, is_there in (("the gateway", spec.access.makes_gateway), ("spares", spec.spares))
        if is_there
    )
    seat = scaled(course.use.amount, 1 / Decimal(spec.seats))
    price = f"a seat: {seat}{f', with its share of {shared}' if shared else ''}"
    idle = spec.schedule.idle
    if idle is None:
        return (f"{price}; if nobody comes it is the same: no [schedule] idle stops the seats",)
    days = Decimal(course.hours.hours_existing) / 24
    quiet = Decimal(str(idle.total_seconds())) / 3600 * days
    running = min(quiet, Decimal(course.hours.hours_running))
    nobody = estimate(bill, Use(running, course.hours.hours_existing), book).use.amount
    return (f"{price}; if nobody comes, all of it: {nobody} (idle ends each day's start)",)


def _sending(spec: Spec, usage: Usage, region: str | None, book: PriceBook) -> tuple[str, ...]:
    """Return what it costs to send data out, where it is not counted."""
    from roost.cost.rates import Amount, Unknown

    if book.site is not None:
        return () if usage.out_gib else ("not counted: data sent to the internet",)
    if usage.out_gib:
        return ("not counted: requests to S3",)
    tiers = book.transfer_out(region) if region is not None else Unknown("no region")
    if isinstance(tiers, Unknown) or not (getattr(spec, "data", None) and spec.data.push):
        return ("not counted: data sent to the internet, and requests to S3",)
    rate, free = Amount(tiers[0].rate.usd), book.free_transfer_gb(region or "")
    return (
        f"not counted: requests to S3, and data sent to the internet: {rate} a GB after {free} GB a"
        f" month (--out 50GB counts it; [data] push to a bucket in {region} is not sent there)",
    )


def _priced_elsewhere(spec: Spec, file: str) -> tuple[tuple[str, str], ...]:
    """Return clouds that the file has a table for: title, and the command that prices it."""
    from roost.providers.rules import regional

    other = regional(spec.cloud)
    if other is None or other.name not in spec.model_fields_set:
        return ()
    return ((other.title, command_line("roost", "plan", file, "--cloud", other.name)),)
