"""The names of ``roost ls``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.cli.output import table
from roost.errors import command_line
from roost.model.owner import Owner

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from roost.model.summary import Summary


def names_text(rows: Sequence[Summary]) -> str:
    """Write a line for each name: its kind, cloud, owner, its instances by state, since when."""
    cells = [
        (
            row.name,
            row.kind,
            f"{row.cloud} {row.region}".rstrip(),
            _instances(row),
            _local(row.created),
            Owner(caller=row.owner).person or "-",
        )
        for row in rows
    ]
    return table(("NAME", "KIND", "CLOUD", "INSTANCES", "SINCE", "OWNER"), cells, frozenset())


def _instances(row: Summary) -> str:
    """Write the instances by state, and the range of workers where their number follows the work:
    ``"3 running; workers: 2 of 0..8"``."""
    states = ", ".join(f"{count} {state}" for state, count in sorted(row.states.items()))
    return (states or "none") + (f"; workers: {row.follows}" if row.follows else "")


def restoring_lines(rows: Sequence[Summary]) -> list[str]:
    """Write a line for each name whose data is not all restored from S3."""
    return [
        f"{row.name}: data of {', '.join(row.unfilled)} not all back yet: "
        + command_line("roost", "resume", row.name)
        for row in rows
        if row.unfilled
    ]


def unwell_lines(rows: Sequence[Summary]) -> list[str]:
    """Write a line for each machine with which something is wrong."""
    return [
        f"{row.name}: {text}: {command_line('roost', 'show', row.name)}"
        for row in rows
        for text in row.unwell
    ]


def _local(moment: datetime | None) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment else "unknown"
