"""The one address that a browser needs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from roost.home import folder
from roost.web.address import address

if TYPE_CHECKING:
    from roost.plan.resources import State


def address_of(state: State) -> str | None:
    """The address of what runs, token included; None where there is no page now."""
    if not any(i.role == "head" and i.state == "running" for i in state.instances):
        return None
    place = folder(state.name)
    try:
        jupyter = json.loads(place.jupyter.read_text())
        token = place.token.read_text().strip()
    except (OSError, ValueError):
        return None
    return address(jupyter, token)
