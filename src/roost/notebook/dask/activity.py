"""Report activity: the scheduler touches a file while workers have tasks, so checks cost nothing.

Loaded into the scheduler as a Dask preload. A machine that stops when idle goes by it: a task that
waits for data uses no CPU, and is work all the same.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

WORKING_VARIABLE = "ROOST_WORKING"
EVERY = 15.0
"""Seconds between two looks."""


def dask_setup(scheduler: Any) -> None:
    """Set up the scheduler (called by Dask)."""
    from tornado.ioloop import PeriodicCallback

    file = Path(os.environ[WORKING_VARIABLE])
    looking = PeriodicCallback(lambda: look(scheduler, file), EVERY * 1000)
    # Those that it has itself are stopped when it ends.
    scheduler.periodic_callbacks["roost-working"] = looking
    looking.start()


def look(scheduler: Any, file: Path) -> None:
    """Touch the file if a worker has a task."""
    if any(worker.processing for worker in scheduler.workers.values()):
        file.touch()
