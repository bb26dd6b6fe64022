"""The one address that a browser needs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from roost.home import folder
from roost.notebook.lab.address import address
from roost.ssh.config import main_machine
from roost.ssh.pages import cloud_of, public_address

if TYPE_CHECKING:
    from roost.model.resources import State


def address_of(state: State) -> str | None:
    """The address of what runs, token included; None where there is no page now.

    In a cloud, it is the address on the internet, if the file opens one; else `roost open` makes
    a tunnel.
    """
    main = main_machine(state)
    if main is None or main.state != "running":
        return None
    if cloud_of(state.record) != "local":
        return public_address(state)
    place = folder(state.name)
    try:
        jupyter = json.loads(place.jupyter.read_text())
        token = place.token.read_text().strip()
    except (OSError, ValueError):
        return None
    return address(jupyter, token)
