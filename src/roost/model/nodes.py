"""The names of a name's machines: ``"head"``, ``"desktop"``, ``"worker-3"``, ``"seat-7"``. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from roost.model.resources import GATEWAY, Role

NUMBERED: frozenset[Role] = frozenset(("worker", "seat"))
"""Roles of which there can be many: worker-1, worker-2, ..."""
LONGEST_NUMBER = 9
"""Digits; a name with more is none of roost's."""


def names(role: Role, most: int) -> Iterator[str]:
    """Yield the names that machines of a role can have, in order."""
    if role not in NUMBERED:
        yield role
        return
    for number in range(1, most + 1):
        yield f"{role}-{number}"


def gateway_firewall(name: str) -> str:
    """Return the name of the firewall around a name's gateway; no other name has such a one."""
    return f"{name}.{GATEWAY}"


def split(name: str) -> tuple[str, int | None]:
    """Return the name before its number, and the number: ``("worker", 3)``, ``("head", None)``."""
    stem, _, digits = name.rpartition("-")
    return (stem, int(digits)) if stem and is_number(digits) else (name, None)


def number_of(name: str) -> int:
    """Return the number in a name, to sort by; 0 for a name without one."""
    return split(name)[1] or 0


def is_number(text: str) -> bool:
    """Tell if a text is the number of a node."""
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER


def is_node(name: str) -> bool:
    """Tell if a text can be the name of a node. It becomes a host's name, and part of paths."""
    return re.fullmatch(r"[a-z]([a-z0-9-]{0,62}[a-z0-9])?", name) is not None
