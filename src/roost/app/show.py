"""One name: all that is there of it now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roost.app import resolve
from roost.app.limits import Stops, stops_of
from roost.errors import RoostError

if TYPE_CHECKING:
    from roost.cost.spent import BudgetUse, Cost
    from roost.model.resources import State
    from roost.notebook.dask.ranges import Range
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The state of a name; ``unfilled`` are the volumes whose data is not all restored, and why.

    ``stops`` are what stops its machines; ``cost`` is None where nothing is rented, or why it is
    not known, and ``budget`` how much of it is used. ``off_because`` is why it would be off,
    where nothing runs. ``follows`` is the range in which the number of workers follows the work.
    """

    state: State
    kind: str
    cloud: str
    address: str | None
    unfilled: Mapping[str, str]
    stops: tuple[Stops, ...] = ()
    cost: Cost | str | None = None
    budget: BudgetUse | None = None
    off_because: tuple[str, ...] = ()
    follows: Range | None = None
    follows_text: tuple[str, ...] = ()


def shown(session: Session, name: str) -> Shown:
    """Look at a name, and ask the machines that can be reached how far their set-up is."""
    from roost.app.cost import budget_now
    from roost.app.provisioning import set_ups
    from roost.app.ranges import range_in
    from roost.app.ranges import told as told_range
    from roost.parking.restore import unfilled
    from roost.ssh import browser

    cloud = resolve.locate(session, name)
    state, told = set_ups(session, cloud, resolve.existing(cloud, name))
    spec = resolve.readable_spec(state)
    cost = cost_or_why(cloud, state)
    stops = stops_of(spec, state, told) if spec is not None and cloud.can.rents else ()
    return Shown(
        state=state,
        kind=resolve.kind_of(state),
        cloud=cloud.name,
        address=browser.address_of(cloud, state),
        unfilled=unfilled(state),
        stops=stops,
        cost=cost,
        budget=None if cost is None or isinstance(cost, str) else budget_now(spec, stops, cost),
        off_because=_off_because(state, spec, cost) if spec is not None else (),
        follows=range_in(cloud, state),
        follows_text=told_range(cloud, state),
    )


def hourly(session: Session, name: str) -> str:
    """Return what a name costs an hour as it is now: an amount, "unknown", or "nothing" rented."""
    cloud = resolve.locate(session, name)
    cost = cost_or_why(cloud, resolve.existing(cloud, name))
    if cost is None:
        return "unknown" if cloud.can.rents else "nothing"
    return "unknown" if isinstance(cost, str) else str(cost.per_hour.amount)


def _off_because(state: State, spec: Spec, cost: Cost | str | None) -> tuple[str, ...]:
    """Return which limits of the file have passed, where no machine can be asked any more."""
    from roost.app.ends import past_end
    from roost.cost.rates import Amount

    if not state.instances or any(i.state != "stopped" for i in state.instances):
        return ()
    found = [past_end(spec)]
    if spec.budget is not None and cost is not None and not isinstance(cost, str):
        spent, allowed = cost.spent, Amount(spec.budget.value, currency=spec.budget.currency)
        used = spent.most.amount.usd >= allowed.usd
        found.append(f"its budget is used up: {spent} of {allowed}" if used else "")
    return tuple(one for one in found if one)


def cost_or_why(cloud: Cloud, state: State) -> Cost | str | None:
    """Return what it costs, or why that is not known; None where nothing is rented."""
    from roost.app.cost import cost_of, now

    if cloud.can.history is None:
        return None
    try:
        return cost_of(cloud, state.name, None, now(), state.record)
    except RoostError as error:
        return error.what
