"""The lines of ``roost follow``: one for each change, for people or for programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from roost.cli.output import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from roost.app.follow import Change


class Lines:
    """Writes what changed, and once what can never run and why there are no more workers.

    ``as_json``: an object a line. ``write`` gets the lines of changes.
    """

    def __init__(self, *, as_json: bool, write: Callable[[str], object] = click.echo) -> None:
        self.as_json, self.write = as_json, write
        self.told: frozenset[str] = frozenset()
        self.held = False

    def show(self, change: Change) -> None:
        """Write a change; a look that changed nothing says nothing."""
        new = [line for line in change.never if line not in self.told]
        self.told = frozenset(change.never)
        for line in new:
            say(f"{change.name}: {line}")
        if change.held and not self.held:
            say(f"{change.name}: no more workers are rented: {change.held}")
        self.held = bool(change.held)
        if change.workers == change.before:
            return
        if self.as_json:
            self.write(json.dumps(as_data(change)))
            return
        self.write(
            f"{datetime.now().astimezone():%H:%M:%S} {change.name}: {change.before} ->"
            f" {change.workers} workers (the work needs {change.needed}), {change.costs}"
        )


def as_data(change: Change) -> dict[str, object]:
    """Return a change for programs: ``schema/output/follow.schema.json``."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "name": change.name,
        "before": change.before,
        "workers": change.workers,
        "needed": change.needed,
        "minimum": change.wish.minimum,
        "maximum": change.wish.maximum,
        "by": change.wish.by,
        "went": list(change.went),
        "never": list(change.never),
        "held": change.held,
        "costs": change.costs,
    }
