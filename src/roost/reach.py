"""The ways in which roost comes to machines, and how a gateway is written. Pure."""

from __future__ import annotations

import re
from typing import Literal, get_args

Reach = Literal["public", "jump", "ssm"]
"""By a public address; through a gateway; by AWS's Session Manager."""
REACHES: tuple[Reach, ...] = get_args(Reach)
GATEWAY = re.compile(
    r"^([A-Za-z_][A-Za-z0-9_.-]{0,31}@)?[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?$"
)
"""``USER@HOST:PORT``; what is not said, the user's own ssh knows."""

HOST = re.compile(r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.){1,8}[a-z]([a-z0-9-]{0,61}[a-z0-9])$")
"""A name with a dot, as the DNS has it."""


def destination(gateway: str) -> tuple[str, tuple[str, ...]]:
    """Return where ssh goes for a gateway, and its words for the port."""
    host, _, port = gateway.partition(":")
    return host, ("-p", port) if port else ()
