"""What stops machines, as `show` and `cost` tell it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from roost.cli.output import table
from roost.errors import command_line
from roost.model.steps import shorten
from roost.units import format_span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from roost.app.limits import Stops
    from roost.model.limits import Limits

HEADER = ("STOPS", "IDLE", "END", "BUDGET", "")
MOST_NAMES = 3


def limits_text(stops: Iterable[Stops]) -> str:
    """Write a line for all machines that the same stops; "" where there are none."""
    alike: dict[tuple[str, ...], list[Stops]] = {}
    for one in stops:
        held = one.enforced
        silent = "" if one.machine else "as the file says; it was not asked"
        key = (_span(held.idle_s), time_text(held.end), _usd(held), silent)
        alike.setdefault(key, []).append(one)
    rows = []
    for (idle, end, usd, silent), some in alike.items():
        names = shorten(tuple(one.node for one in some), MOST_NAMES)
        rows.append((names, idle, end, f"{_used(some)}{usd}", silent))
    return table(HEADER, rows, frozenset()) if rows else ""


def _used(some: Iterable[Stops]) -> str:
    """Return the most that one of them has spent: ``"$12.30 of "``."""
    used = [
        (held.budget_usd - held.budget_left_usd, held)
        for held in (one.enforced for one in some)
        if held.budget_usd is not None and held.budget_left_usd is not None
    ]
    spent, held = max(used, key=lambda one: one[0], default=(0, None))
    return f"{held.money(spent)} of " if held is not None else ""


def last_stops(stops: Iterable[Stops]) -> list[str]:
    """Return when and why each last stopped by itself."""
    return [
        f"{one.node} last stopped by itself at {time_text(one.machine.last_stop)}:"
        f" {one.machine.last_stop_because}"
        for one in stops
        if one.machine and one.machine.last_stop
    ]


def differences(name: str, stops: Iterable[Stops]) -> list[str]:
    """Return what machines enforce that the file says otherwise, and the command that mends it."""
    alike: dict[str, list[str]] = {}
    for one in stops:
        if one.differ:
            file, held = one.file, one.enforced
            pairs = (
                ("idle", _span(held.idle_s), _span(file.idle_s)),
                ("end", time_text(held.end), time_text(file.end)),
                ("budget", _usd(held), _usd(file)),
            )
            texts = [f"{key} {now} (the file: {then})" for key, now, then in pairs if now != then]
            alike.setdefault(", ".join(texts), []).append(one.node)
    up = command_line("roost", "up", name)
    return [
        f"{shorten(tuple(names), MOST_NAMES)}: the machine keeps to {text};"
        f" what changed in the file comes with `{up}`"
        for text, names in alike.items()
    ]


def limits_json(stops: Iterable[Stops]) -> list[dict[str, object]]:
    """Return them for programs: by the file, and as the machine says, null where it does not."""
    return [
        {
            "instance": one.node,
            "file": as_data(one.file),
            "machine": as_data(one.machine) if one.machine else None,
        }
        for one in stops
    ]


def as_data(limits: Limits) -> dict[str, object]:
    """Return them; the unit of the budget only where it is not US dollars."""
    return {k: v for k, v in asdict(limits).items() if k != "budget_unit" or v is not None}


def time_text(at: datetime | None) -> str:
    """Write a time in its own zone."""
    return f"{at:%Y-%m-%d %H:%M %Z}".rstrip() if at else "-"


def _span(seconds: float | None) -> str:
    return format_span(timedelta(seconds=seconds)) if seconds else "-"


def _usd(limits: Limits) -> str:
    return limits.money(limits.budget_usd) if limits.budget_usd else "-"
