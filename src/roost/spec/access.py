"""Who may reach the machines, and who may run them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from roost.spec.table import Table, wrong
from roost.spec.values import Source

USER = r"^[A-Za-z0-9_+=,.@-]{1,64}$"
"""IAM's user names."""


def _user(found: str) -> str:
    if not re.fullmatch(USER, found):
        raise wrong(
            "not the name of an IAM user",
            allowed="letters, digits and _+=,.@-; at most 64",
        )
    return found


User = Annotated[str, AfterValidator(_user), WithJsonSchema({"type": "string", "pattern": USER})]


class Access(Table):
    """The addresses that may reach the machines. ``"me"`` is the address that roost runs from."""

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
    operators: tuple[User, ...] = Field(
        (), description="Users of the account who may start, stop and reboot, and nothing else."
    )
