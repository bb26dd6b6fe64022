"""The gateway of a name: the first to come, and the last to go. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.model.resources import GATEWAY
from roost.model.steps import Delete

if TYPE_CHECKING:
    from collections.abc import Iterable

    from roost.model.resources import Instance, State


def behind_gateway(instances: Iterable[Instance]) -> list[Instance]:
    """Return the machines without the gateway."""
    return [i for i in instances if i.role != GATEWAY]


def delete_gateway(have: State) -> list[Delete]:
    """Return the steps by which it goes, with its address, once nothing has to be reached."""
    steps = []
    if addresses := tuple(a.name for a in have.addresses if a.holder == GATEWAY):
        why = "the gateway goes; it gets another address when the name comes back"
        steps.append(Delete("address", addresses, reason=why))
    live = [i for i in have.instances if i.state != "deleting"]
    if gone := tuple(i.name for i in live if i.role == GATEWAY):
        steps.append(Delete("instance", gone, reason="a gateway keeps nothing on its disk"))
    return steps
