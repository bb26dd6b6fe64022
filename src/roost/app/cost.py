"""The cost of a name: so far, per hour now, and by its end time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from roost.app import resolve
from roost.app.prices import book_for
from roost.errors import RoostError
from roost.model.resources import STATELESS
from roost.providers.provider import need

if TYPE_CHECKING:
    from roost.app.limits import Stops
    from roost.cost.billed import Billed
    from roost.cost.rates import Amount
    from roost.cost.spent import BudgetUse, Cost
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class CostReport:
    """The money of one name at a moment. ``spec`` is None where the record is lost or
    cannot be read.

    ``budget`` and ``end`` are what its machines enforce, or else what the file says.
    ``stored`` are notes of its copies in the user's buckets, which are not counted in ``cost``;
    ``billed`` is what the account's own bill says, if that was asked for.
    """

    name: str
    cloud: Cloud
    moment: datetime
    spec: Spec | None
    cost: Cost
    budget: BudgetUse | None
    end: datetime | None
    stops: tuple[Stops, ...]
    stored: tuple[str, ...]
    billed: Billed | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Every caveat on the numbers."""
        unread = "its record is lost or cannot be read: its end and its budget are unknown"
        return (*(() if self.spec else (unread,)), *self.cost.notes, *self.stored)


def cost_report(session: Session, name: str, *, billed: bool = False) -> CostReport:
    """Ask the cloud of ``name`` for its history, and price it; and for its bill, if ``billed``.

    Raises NotFoundError, or UsageError where a cloud that costs money remembers no history.
    """
    cloud = resolve.locate(session, name)
    state = resolve.existing(cloud, name)
    spec = resolve.readable_spec(state)
    moment = now()
    bill = None
    if billed:
        bill = need(cloud.can.bills, "say what was billed", cloud).billed(name, moment.date())
    stops = _stops(session, cloud, state, spec)
    ends = [one.enforced.end for one in stops] or [spec.schedule.end if spec else None]
    known = [one for one in ends if one is not None]
    end = max(known) if len(known) == len(ends) else None
    cost = cost_of(cloud, name, end, moment, state.record)
    return CostReport(
        name=name,
        cloud=cloud,
        moment=moment,
        spec=spec,
        cost=cost,
        budget=budget_now(spec, stops, cost),
        end=end,
        stops=stops,
        stored=stored_notes(cloud, state),
        billed=bill,
    )


def _stops(session: Session, cloud: Cloud, state: State, spec: Spec | None) -> tuple[Stops, ...]:
    """Ask the machines that decide for themselves what stops them."""
    from roost.app.limits import stops_of
    from roost.app.provisioning import set_ups

    if spec is None or not cloud.can.rents:
        return ()
    deciding = tuple(i for i in state.instances if i.role not in STATELESS)
    _, told = set_ups(session, cloud, replace(state, instances=deciding))
    return stops_of(spec, state, told)


def budget_now(spec: Spec | None, stops: tuple[Stops, ...], cost: Cost) -> BudgetUse | None:
    """Return how much of the budget is used; None where there is none to compare with."""
    from roost.cost.spent import budget_use

    allowed = _budget(spec, stops)
    return budget_use(allowed, cost.spent) if allowed.usd > 0 else None


def _budget(spec: Spec | None, stops: tuple[Stops, ...]) -> Amount:
    """Return the budget that holds: the file's, but for what machines enforce instead; 0: none."""
    from roost.cost.rates import Amount

    said = spec.budget if spec else None
    usd = said.value if said else Decimal(0)
    for one in stops:
        if one.enforced.budget_usd != one.file.budget_usd:
            usd += Decimal(str(one.enforced.budget_usd or 0)) - Decimal(
                str(one.file.budget_usd or 0)
            )
    return Amount(usd, currency=said.currency) if said else Amount(usd)


def now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def so_far(cloud: Cloud, state: State) -> str:
    """Return the cost so far: ``"$12.30"``, ``"between $10.00 and $12.30"`` or ``"unknown"``.

    An unreadable record or a refused listing gives "unknown" and no error, so that a cost can
    always be ended.
    """
    try:
        return str(cost_of(cloud, state.name, None, now(), state.record).spent)
    except RoostError as error:
        return f"unknown ({error.what})"


def rate_now(cloud: Cloud, state: State) -> str:
    """Return what all of a name costs now: ``"$0.4587 an hour"``, or ``"unknown (why)"``."""
    try:
        found = cost_of(cloud, state.name, None, now(), state.record)
        return f"{found.per_hour.amount} an hour"
    except RoostError as error:
        return f"unknown ({error.what})"


def stored_notes(cloud: Cloud, state: State) -> tuple[str, ...]:
    """Return the price of copies in the user's buckets: no tag says since when they exist."""
    from roost.cost.rates import charge, section
    from roost.plan.bill import gb
    from roost.plan.wanted import volumes_of
    from roost.spec import from_json

    if not state.s3_copies:
        return ()
    book, notes = book_for(cloud, None), []
    file = volumes_of(from_json(state.record)) if state.record else {}
    for copy in state.s3_copies:
        kind = file[copy.name].park_class if copy.name in file else "STANDARD"
        price = book.s3(copy.region or cloud.region, kind)
        lines = charge(copy.name, f"{copy.used_gib:g} GB", Decimal(gb(copy.used_gib)), price)
        amount = "its price is unknown" if copy.endpoint else f"{section(lines).amount} a month"
        notes.append(f"{copy.description}, not counted above: {amount}")
    return tuple(notes)


def cost_of(
    cloud: Cloud, name: str, end: datetime | None, moment: datetime, record: str | None
) -> Cost:
    """Return the cost by the list prices of that day; an empty one where nothing is rented.

    ``end`` is the time until which it is to run. A ``record`` can bring the prices of its site.
    """
    from roost.cost.rates import section
    from roost.cost.spent import Cost, Spent, cost

    if not cloud.can.rents:
        nothing = section(())
        return Cost(Spent(nothing, nothing), nothing, None, ())
    memory = need(cloud.can.history, "say what something has cost", cloud)
    ledger, there = memory.history(name, moment)
    book = book_for(cloud, record, moment.date())
    return cost(ledger, there, cloud.region, book, int(end.timestamp()) if end else None)
