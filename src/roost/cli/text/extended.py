"""The text and the JSON of what stops machines after `extend`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.cli.output import say, write_json
from roost.cli.text.limits import as_data, time_text
from roost.cli.text.running import coming_stops

if TYPE_CHECKING:
    from roost.app.extend import Extended
    from roost.model.limits import Limits


def show_extended(extended: Extended, as_json: bool) -> None:
    """Show what stops each machine from now on; then raise its problem."""
    if as_json:
        nodes = {node: as_data(limits) for node, limits in extended.nodes.items()}
        write_json({"name": extended.name, "nodes": nodes})
    for node, limits in extended.nodes.items():
        say(describe(node, limits))
    for line in coming_stops(extended.name, extended.nodes):
        say(line)
    if extended.problem is not None:
        raise extended.problem


def describe(node: str, limits: Limits) -> str:
    """Describe ``"head: it ends at 2027-01-01 02:00 UTC; $3.50 of its budget are left"``."""
    parts = []
    if limits.idle_not_before:
        parts.append(f"idleness stops nothing before {time_text(limits.idle_not_before)}")
    if limits.end:
        parts.append(f"it ends at {time_text(limits.end)}")
    if not parts:
        parts.append("neither idleness nor a time stops it")
    if limits.budget_left_usd is not None:
        parts.append(f"{limits.money(limits.budget_left_usd)} of its budget are left")
    return f"{node}: {'; '.join(parts)}"
