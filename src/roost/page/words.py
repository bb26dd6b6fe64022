"""Words of the page that the templates cannot make by themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from roost.units import format_span

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from roost.app.limits import Stops
    from roost.model.limits import Limits


def local_time(moment: datetime | None) -> str:
    """Return a moment in this computer's time."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment else "unknown"


def limits_lines(stops: Iterable[Stops]) -> list[str]:
    """Return what stops each machine, and when, as far as it is known."""
    return [
        f"{one.node}: {limits_line(one.enforced)}"
        + ("" if one.machine else " (as the file says; it was not asked)")
        for one in stops
    ]


def limits_line(held: Limits) -> str:
    """Return what stops a machine: ``"idle for 1h, at 2030-01-01 18:00"``."""
    parts = [
        f"idle for {format_span(timedelta(seconds=held.idle_s))}" if held.idle_s else "",
        f"at {local_time(held.end)}" if held.end else "",
        f"a budget of {held.money(held.budget_usd)}" if held.budget_usd is not None else "",
    ]
    return ", ".join(part for part in parts if part) or "nothing stops it"
