"""What stops a machine by itself, as the machine says it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

LONGEST = 300
"""Characters of a machine's sentence that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits that a machine enforces; None: it has no such limit, or does not say.

    ``budget_unit`` is what a site counts in, instead of US dollars. ``stops_in_s`` and
    ``stops_because`` are of a stop that is near, ``last_stop`` is when it last stopped by itself.
    """

    idle_s: float | None = None
    idle_not_before: datetime | None = None
    end: datetime | None = None
    budget_usd: float | None = None
    budget_left_usd: float | None = None
    budget_unit: str | None = None
    stops_in_s: float | None = None
    stops_because: str | None = None
    last_stop: datetime | None = None
    last_stop_because: str | None = None

    @classmethod
    def of(cls, told: object) -> Limits:
        """Read what a machine answered, also one of an older roost. ValueError where it is none."""
        if not isinstance(told, Mapping):
            raise ValueError("no limits")
        return cls(
            idle_s=_number(told.get("idle_s")),
            idle_not_before=_moment(told.get("idle_not_before")),
            end=_moment(told.get("end")),
            budget_usd=_number(told.get("budget_usd")),
            budget_left_usd=_number(told.get("budget_left_usd")),
            budget_unit=_text(told.get("budget_unit")),
            stops_in_s=_number(told.get("stops_in_s")),
            stops_because=_text(told.get("stops_because")),
            last_stop=_moment(told.get("last_stop")),
            last_stop_because=_text(told.get("last_stop_because")),
        )

    def money(self, sum_: float) -> str:
        """Write a sum in what its budget is in: ``"$12.30"``, ``"12.30 SU"``."""
        return f"{sum_:.2f} {self.budget_unit}" if self.budget_unit else f"${sum_:.2f}"


def _number(told: Any) -> float | None:
    if told is None:
        return None
    if type(told) not in (int, float) or not math.isfinite(told):
        raise ValueError(f"no number: {told!r:.50}")
    return float(told)


def _moment(told: Any) -> datetime | None:
    if told is None:
        return None
    found = datetime.fromisoformat(_text(told) or "")
    if found.tzinfo is None:
        raise ValueError("a time without its zone")
    return found


def _text(told: Any) -> str | None:
    if told is None:
        return None
    if not isinstance(told, str):
        raise ValueError(f"no text: {told!r:.50}")
    return "".join(one for one in told if one.isprintable())[:LONGEST]
