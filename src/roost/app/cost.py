"""The cost of a name: so far, per hour now, and by its end time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from roost.app import resolve
from roost.app.prices import todays_book
from roost.errors import RoostError
from roost.providers.provider import need

if TYPE_CHECKING:
    from roost.cost.spent import BudgetUse, Cost
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class CostReport:
    """The money of one name at a moment. ``spec`` is None where the record is lost.

    ``stored`` are notes of its copies in the user's buckets, which are not counted in ``cost``.
    """

    name: str
    cloud: Cloud
    moment: datetime
    spec: Spec | None
    cost: Cost
    budget: BudgetUse | None
    stored: tuple[str, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """Every caveat on the numbers."""
        return (*self.cost.notes, *self.stored)


def cost_report(session: Session, name: str) -> CostReport:
    """Ask the cloud of ``name`` for its history, and price it.

    Raises NotFoundError, or UsageError where a cloud that costs money remembers no history.
    """
    from roost.cost.spent import budget_use
    from roost.spec import from_json

    cloud = resolve.locate(session, name)
    state = resolve.existing(cloud, name)
    spec = from_json(state.record) if state.record else None
    moment = now()
    cost = _cost(cloud, name, spec, moment)
    budget = budget_use(spec.budget.usd, cost.spent) if spec and spec.budget else None
    return CostReport(
        name=name,
        cloud=cloud,
        moment=moment,
        spec=spec,
        cost=cost,
        budget=budget,
        stored=stored_notes(cloud, state),
    )


def now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def so_far(cloud: Cloud, state: State) -> str:
    """Return the cost so far: ``"$12.30"``, ``"between $10.00 and $12.30"`` or ``"unknown"``.

    An unreadable record or a refused listing gives "unknown" and no error, so that a cost can
    always be ended.
    """
    try:
        return str(_cost(cloud, state.name, None, now()).spent)
    except RoostError as error:
        return f"unknown ({error.what})"


def rate_now(cloud: Cloud, name: str) -> str:
    """Return what all of a name costs now: ``"$0.4587 an hour"``, or ``"unknown (why)"``."""
    try:
        return f"{_cost(cloud, name, None, now()).per_hour.amount} an hour"
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
    book, notes = todays_book(), []
    file = volumes_of(from_json(state.record)) if state.record else {}
    for copy in state.s3_copies:
        kind = file[copy.name].park_class if copy.name in file else "STANDARD"
        price = book.s3(copy.region or cloud.region, kind)
        lines = charge(copy.name, f"{copy.used_gib:g} GB", Decimal(gb(copy.used_gib)), price)
        amount = "its price is unknown" if copy.endpoint else f"{section(lines).amount} a month"
        notes.append(f"{copy.description}, not counted above: {amount}")
    return tuple(notes)


def _cost(cloud: Cloud, name: str, spec: Spec | None, moment: datetime) -> Cost:
    """Return the cost by the list prices of that day; an empty one where nothing is rented."""
    from roost.catalogue import load
    from roost.cost.book import PriceBook
    from roost.cost.rates import section
    from roost.cost.spent import Cost, Spent, cost

    if not cloud.can.rents:
        nothing = section(())
        return Cost(Spent(nothing, nothing), nothing, None, ())
    memory = need(cloud.can.history, "say what something has cost", cloud)
    ledger, there = memory.history(name, moment)
    end = spec.schedule.end if spec else None
    book = PriceBook(load(), moment.date())
    return cost(ledger, there, cloud.region, book, int(end.timestamp()) if end else None)
