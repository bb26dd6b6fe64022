"""The text and the JSON of what stops machines after `extend`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.cli.output import say, write_json

if TYPE_CHECKING:
    from roost.app.extend import Extended, Limits


def show_extended(extended: Extended, as_json: bool) -> None:
    """Show what stops each machine from now on; then raise its problem."""
    if as_json:
        write_json({"name": extended.name, "nodes": extended.nodes})
    for node, limits in extended.nodes.items():
        say(describe(node, limits))
    if extended.problem is not None:
        raise extended.problem


def describe(node: str, limits: Limits) -> str:
    """Describe ``"head: it ends at 2027-01-01T02:00:00+00:00; $3.50 of its budget are left"``."""
    parts = []
    if limits.get("idle_not_before"):
        parts.append(f"idleness stops nothing before {limits['idle_not_before']}")
    if limits.get("end"):
        parts.append(f"it ends at {limits['end']}")
    if not parts:
        parts.append("neither idleness nor a time stops it")
    if limits.get("budget_left_usd") is not None:
        parts.append(f"${limits['budget_left_usd']:.2f} of its budget are left")
    return f"{node}: {'; '.join(parts)}"
