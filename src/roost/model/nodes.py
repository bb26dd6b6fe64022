"""The names of a name's machines: ``"head"``, ``"desktop"``, ``"worker-3"``, ``"seat-7"``. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from roost.model.resources import GATEWAY, Role

NUMBERED: frozenset[Role] = frozenset(("worker", "seat"))
"""Roles of which there can be many: worker-1, worker-2, ..."""
MOST_NAMES = 20_000
"""Names of one launch."""
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


def launch(names: Sequence[str]) -> str:
    """Return the names of one launch, in the launch index's order: ``"worker-1..3 worker-7"``."""
    parts: list[str] = []
    runs: list[tuple[str, int, int]] = []
    for name in names:
        stem, number = split(name)
        if number is None:
            runs.append((name, -1, -1))
        elif runs and runs[-1][0] == stem and runs[-1][2] == number - 1:
            runs[-1] = (stem, runs[-1][1], number)
        else:
            runs.append((stem, number, number))
    for stem, first, last in runs:
        if first < 0:
            parts.append(stem)
        else:
            parts.append(f"{stem}-{first}" + (f"..{last}" if last > first else ""))
    return " ".join(parts)


@lru_cache(maxsize=256)
def launched(text: str) -> tuple[str, ...]:
    """Return the names that ``launch`` wrote."""
    names: list[str] = []
    for part in text.split():
        first, dots, last = part.partition("..")
        stem, number = split(first)
        if dots and number is not None and is_number(last):
            if int(last) - number >= MOST_NAMES - len(names):
                return ()  # nothing of roost's: it launches no more at once
            names += [f"{stem}-{one}" for one in range(number, int(last) + 1)]
        else:
            names.append(part)
    return tuple(names)
