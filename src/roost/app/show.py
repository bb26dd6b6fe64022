"""One name: all that is there of it now."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roost.app import resolve
from roost.app.limits import Stops, stops_of
from roost.errors import RoostError

if TYPE_CHECKING:
    from roost.cost.spent import Cost
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The state of a name; ``unfilled`` are the volumes whose data is not all restored, and why.

    ``stops`` are what stops its machines; ``cost`` is None where nothing is rented, or why it is
    not known.
    """

    state: State
    kind: str
    cloud: str
    address: str | None
    unfilled: Mapping[str, str]
    stops: tuple[Stops, ...] = ()
    cost: Cost | str | None = None


def shown(session: Session, name: str) -> Shown:
    """Look at a name, and ask the machines that can be reached how far their set-up is."""
    from roost.app.provisioning import set_ups
    from roost.parking.restore import unfilled
    from roost.ssh import browser

    cloud = resolve.locate(session, name)
    state, told = set_ups(session, cloud, resolve.existing(cloud, name))
    spec = _spec(state)
    return Shown(
        state=state,
        kind=resolve.kind_of(state),
        cloud=cloud.name,
        address=browser.address_of(cloud, state),
        unfilled=unfilled(state),
        stops=stops_of(spec, state, told) if spec is not None and cloud.can.rents else (),
        cost=_cost(cloud, name),
    )


def _spec(state: State) -> Spec | None:
    """Return the file's settings; None where the record is lost or cannot be read."""
    from roost.spec import from_json

    with suppress(RoostError):
        return from_json(state.record) if state.record else None
    return None


def _cost(cloud: Cloud, name: str) -> Cost | str | None:
    from roost.app.cost import cost_of, now

    if cloud.can.history is None:
        return None
    try:
        return cost_of(cloud, name, None, now())
    except RoostError as error:
        return error.what
