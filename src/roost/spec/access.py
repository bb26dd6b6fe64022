"""Who may reach the machines, and who may run them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from roost.spec.table import Table
from roost.spec.values import Source, Text


class Access(Table):
    """Nothing is open but what stands here. ``"me"`` is the address that roost is run from."""

    ssh: tuple[Source, ...] = Field(
        ("me",), description='Who may use SSH: "me", "anywhere", networks as "192.0.2.0/24".'
    )
    https: tuple[Source, ...] = Field(
        (), description="Who may use the web page without an SSH tunnel; nobody by default."
    )
    address: Literal["changing", "fixed"] = Field(
        "changing",
        description="fixed: an Elastic IP, the same after stop and start; it costs while stopped.",
    )
    operators: tuple[Text, ...] = Field(
        (), description="Users of the account who may start, stop and reboot, and nothing else."
    )
