"""Record the workers that joined in a file of the scheduler, so that checks ask nobody.

Loaded into the scheduler as a Dask preload. (Its own /json/identity.json breaks as soon as a task
has run: the metrics in it have tuples as keys.)
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from roost.home import Folder, write_private

FILE_VARIABLE = "ROOST_MEMBERS"
PAUSE = 0.02
"""Seconds in which workers that join or leave together make one write."""


def members(place: Folder) -> dict[str, int] | None:
    """Return the workers that the scheduler knows, with their threads; None without a record."""
    try:
        found = json.loads(place.members.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def of_nodes(names: Iterable[str], nodes: Collection[str]) -> list[str]:
    """Return the workers of these nodes, or those that are named themselves."""
    return sorted(n for n in names if n in nodes or node_of(n) in nodes)


def node_of(name: str) -> str:
    """Return the node of a worker: one has its node's name, several ``NODE-0`` and so on."""
    return re.sub(r"^(worker-\d+)-\d+$", r"\1", name)


def dask_setup(scheduler: Any) -> None:
    """Set up the scheduler (called by Dask)."""
    from distributed.diagnostics.plugin import SchedulerPlugin

    file = Path(os.environ[FILE_VARIABLE])

    class Members(SchedulerPlugin):  # type: ignore[misc]
        """A plugin that writes the file after every change."""

        due = False

        def add_worker(self, scheduler: Any, worker: str) -> None:
            """Record a worker that joined."""
            del worker
            self.later(scheduler)

        def remove_worker(self, scheduler: Any, worker: str, **kwargs: Any) -> None:
            """Record a worker that left."""
            del worker, kwargs
            self.later(scheduler)

        def later(self, scheduler: Any) -> None:
            """Write soon, once for all that happens until then."""
            if not self.due:
                self.due = True
                scheduler.loop.call_later(PAUSE, self.write, scheduler)

        def write(self, scheduler: Any) -> None:
            """Write whom the scheduler knows now."""
            self.due = False
            known = {str(w.name): w.nthreads for w in scheduler.workers.values()}
            write_private(file, json.dumps(known))

    plugin = Members()
    plugin.write(scheduler)
    scheduler.add_plugin(plugin)
