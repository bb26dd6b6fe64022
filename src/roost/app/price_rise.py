"""A change that costs more, or cannot be taken back: shown with its difference, and asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.errors import NeedsConfirmationError, command_line
from roost.model.resources import SecurityGroup, Volume
from roost.model.steps import Create, Modify, OpenRules, Restore, explain

if TYPE_CHECKING:
    from roost.cost.rates import Amount
    from roost.model.resources import Rule, State, Wanted
    from roost.model.steps import Step
    from roost.plan.up import Plan
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.spec import Spec

MONTH = 730
"""Hours, as price lists count them."""


def agree_on_volumes(session: Session, cloud: Cloud, plan: Plan, have: State) -> None:
    """Ask before volumes are changed. Raises NeedsConfirmationError."""
    changed = [v for step in plan.steps if isinstance(step, Modify) for v in step.volumes]
    if not changed or not cloud.can.rents:
        return
    before = {v.name: v for v in have.volumes}
    for volume in changed:
        session.say(f"  {_change(cloud, before[volume.name], volume, have.record)}")
    grown = [v.name for v in changed if v.size_gib > before[v.name].size_gib]
    if grown:
        session.say(f"  a volume never becomes smaller again: {', '.join(grown)}")
    refused = NeedsConfirmationError(
        "this changes volumes and what they cost, and needs a yes",
        exists=have.conditions,
        next="the same with --yes",
    )
    session.consent.ask(f"Change {', '.join(v.name for v in changed)}?", refused)


def agree_on_return(session: Session, plan: Plan, have: State, runs: str) -> None:
    """Ask before what was parked costs more again. Raises NeedsConfirmationError."""
    paid = [step for step in plan.steps if isinstance(step, Restore) or rents_more(step)]
    if not paid:
        return
    for step in paid:
        session.say(f"  {explain(step)}")
    refused = NeedsConfirmationError(
        f"this rents machines for {runs}, and needs a yes",
        exists=have.conditions,
        next=command_line("roost", "resume", have.name, "--yes"),
    )
    session.consent.ask(f"Resume {have.name} for {runs}?", refused)


def agree_on_record(
    session: Session, cloud: Cloud, plan: Plan, have: State, *, rents: bool = False
) -> None:
    """Ask for what a record opens (and ``rents``) that nobody here has agreed to yet.

    Others of the account can write records. Raises NeedsConfirmationError.
    """
    from roost.app.given import agreed

    asked = [step for step in plan.steps if _opens(step) or (rents and rents_more(step))]
    if not asked or not cloud.can.rents or agreed(cloud, have):
        return
    for step in asked:
        session.say(f"  {explain(step)}")
    refused = NeedsConfirmationError(
        f"the settings of {have.name} were written elsewhere, and this follows from them: it needs"
        " a yes",
        exists=have.conditions,
        next="the same with --yes, or: roost up FILE   (with the settings of your own file)",
    )
    session.consent.ask(f"Do that, by settings of {have.name} from elsewhere?", refused)


def rents_more(step: Step) -> bool:
    """Tell whether a step makes what costs money."""
    return isinstance(step, Create) and step.kind in ("instance", "volume", "address")


def _opens(step: Step) -> bool:
    """Tell whether it lets in anybody but whoever runs roost."""
    rules: list[Rule] = list(step.rules) if isinstance(step, OpenRules) else []
    if isinstance(step, Create):
        rules = [r for one in step.resources if isinstance(one, SecurityGroup) for r in one.rules]
    return any(rule.source != "caller" and not rule.firewall for rule in rules)


def costs_more(session: Session, cloud: Cloud, before: Wanted, after: Wanted) -> bool:
    """Say what another type changes in the price; return whether it costs more, or may."""
    from roost.app.lifecycle import hour_of

    old, new = hour_of(cloud, before), hour_of(cloud, after)
    session.say(f"while it runs it costs {old} an hour now, and {new} an hour then")
    return new.usd > old.usd or not (old.known and new.known)


def agree_on_workers(
    session: Session, cloud: Cloud, before: Wanted, after: Wanted, *, at_most: bool = False
) -> None:
    """Ask before more workers are rented (``at_most``: as the work needs them).

    Raises NeedsConfirmationError.
    """
    from roost.app.lifecycle import hourly

    more = _workers(after) - _workers(before)
    if more <= 0 or not cloud.can.rents:
        return
    rates = f"{hourly(cloud, before)} -> {hourly(cloud, after)}"
    these = (
        f"up to {more} more workers, as the work needs them" if at_most else f"{more} more workers"
    )
    session.say(f"{these}: {rates}")
    refused = NeedsConfirmationError(
        f"this rents {these} ({rates}), and needs a yes", next="the same with --yes"
    )
    session.consent.ask(f"Rent {these}?", refused)


def agree_on_most(session: Session, cloud: Cloud, spec: Spec, have: State) -> None:
    """Ask before the work may rent more workers than until now. Raises NeedsConfirmationError."""
    from roost.app.ranges import range_in, rented_workers
    from roost.app.resolve import fitted

    if spec.kind != "cluster" or spec.workers.follow is None:
        return
    before = range_in(cloud, have)
    counts = (
        before.maximum if before is not None else len(rented_workers(have)),
        spec.workers.follow.maximum,
    )
    now, most = (fitted(cloud, spec.with_workers(count=n), have) for n in counts)
    agree_on_workers(session, cloud, now, most, at_most=True)


def _workers(wanted: Wanted) -> int:
    return sum(group.count for group in wanted.groups if group.role == "worker")


def _change(cloud: Cloud, old: Volume, new: Volume, record: str | None) -> str:
    sizes = f"{old.size_gib:g} GiB -> {new.size_gib:g} GiB"
    kinds = f", {old.type} -> {new.type}" if old.type != new.type else ""
    rates = f"{_month(cloud, old, record)} -> {_month(cloud, new, record)} a month"
    return f"volume {new.name}: {sizes}{kinds}, {rates}"


def _month(cloud: Cloud, volume: Volume, record: str | None) -> Amount:
    """Return what a volume costs a month by the list prices of today."""
    from roost.app.prices import book_for
    from roost.cost.bill import Bill, Use
    from roost.cost.charges import lasting
    from roost.cost.rates import section
    from roost.plan.bill import charged

    bill = Bill((charged(volume, cloud.region),))
    return section(lasting(bill, Use(MONTH, MONTH), book_for(cloud, record))).amount
