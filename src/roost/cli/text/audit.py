"""The output of ``roost audit``: ``schema/output/audit.schema.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from roost.cli.output import table
from roost.cli.text.money import amount_json, section_json
from roost.cost.rates import Unknown

if TYPE_CHECKING:
    from roost.cost.inventory import Audit, Inventory, Row

NOTES = (
    "before tax; a month is 730 hours as it is now; snapshots at most, by what they can hold",
    "not counted: S3, transfer to the internet",
)


# --- as text -------------------------------------------------------------------------------------


def audit_text(audit: Audit, inventories: tuple[Inventory, ...]) -> str:
    """List costs, the dearest first; how to end each; what is not roost's; what is not counted."""
    looked_at = ", ".join(one.region for one in inventories if not one.unknown)
    lines: list[str] = []
    if audit.rows:
        ends = dict.fromkeys(row.found.end for row in audit.rows)
        lines += [
            _table(audit.rows),
            f"\na month: {click.style(str(audit.per_month), bold=True)}",
            "to end it:",
            *(f"  {end}" for end in ends),
            "  (data volumes, snapshots and images stay unless you type their names)",
        ]
    elif looked_at:
        lines.append(f"nothing of roost's costs anything in {looked_at}")
    if audit.free:
        lines.append(f"and {audit.free} of roost's things that cost nothing by themselves")
    if audit.hints:
        lines.append("\nNot roost's, and used by nothing; look what it is before you delete it:")
        lines.append(_hints(audit.hints))
    notes = (*_unknown(audit), *_parked(inventories), *NOTES)
    return "\n".join([*lines, "", *(f"- {note}" for note in notes)])


def _parked(inventories: tuple[Inventory, ...]) -> list[str]:
    return [f"in your bucket, not counted: {note}" for one in inventories for note in one.notes]


def _table(rows: tuple[Row, ...]) -> str:
    cells = [
        (
            one.found.name + (" (no record)" if one.found.orphan else ""),
            one.found.region,
            _what(one),
            str(one.per_month.amount),
        )
        for one in rows
    ]
    return table(("NAME", "REGION", "WHAT", "A MONTH"), cells, frozenset({3}))


def _hints(rows: tuple[Row, ...]) -> str:
    cells = [(_what(one), str(one.per_month.amount), one.found.end) for one in rows]
    return table(("WHAT", "A MONTH", "TO END IT"), cells, frozenset({1}))


def _what(row: Row) -> str:
    count = len(row.found.ids)
    return f"{count} x {row.found.what}" if count > 1 else row.found.what


def _unknown(audit: Audit) -> list[str]:
    lines = [line for row in audit.rows for line in row.per_month.lines]
    return sorted({line.price.reason for line in lines if isinstance(line.price, Unknown)})


# --- as JSON -------------------------------------------------------------------------------------


def as_data(audit: Audit, inventories: tuple[Inventory, ...]) -> dict[str, Any]:
    """Return all of it, for programs."""
    return {
        "regions": [
            {"region": one.region, "known": not one.unknown, "reason": one.unknown or None}
            for one in inventories
        ],
        "found": [_row(row) for row in audit.rows],
        "hints": [_row(row) for row in audit.hints],
        "free": audit.free,
        "per_month": amount_json(audit.per_month),
        "notes": [*_parked(inventories), *NOTES],
    }


def _row(row: Row) -> dict[str, Any]:
    found = row.found
    return {
        "region": found.region,
        "name": found.name,
        "kind": found.kind,
        "what": found.what,
        "orphan": found.orphan,
        "ids": found.ids,
        "per_month": section_json(row.per_month),
        "next": found.end,
    }
