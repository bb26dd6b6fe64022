"""One name: all that is there of it now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roost.app import resolve

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The state of a name; ``unfilled`` are the volumes whose data is not all restored, and why."""

    state: State
    kind: str
    cloud: str
    address: str | None
    unfilled: Mapping[str, str]


def shown(session: Session, name: str) -> Shown:
    """Look at a name, and ask the machines that can be reached how far their set-up is."""
    from roost.app.provisioning import set_ups
    from roost.parking.restore import unfilled
    from roost.ssh import browser

    cloud = resolve.locate(session, name)
    state = set_ups(session, cloud, resolve.existing(cloud, name))
    return Shown(
        state=state,
        kind=resolve.kind_of(state),
        cloud=cloud.name,
        address=browser.address_of(cloud, state),
        unfilled=unfilled(state),
    )
