"""Stop the cluster of one's own machine when nobody has used it for a while.

Loaded into the scheduler as a Dask preload. A client that is connected is a user, and a task is
work, whether or not its client is still there.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

from roost.home import Folder
from roost.notebook.dask.control import command, own_environment
from roost.notebook.dask.follow import FOLDER_VARIABLE

IDLE_VARIABLE = "ROOST_IDLE"
"""Seconds without a client after which the cluster stops."""
EVERY = 1.0
"""Seconds between two looks."""


def dask_setup(scheduler: Any) -> None:
    """Set up the scheduler (called by Dask)."""
    from tornado.ioloop import PeriodicCallback

    if IDLE_VARIABLE not in os.environ:
        return
    watch = Watch(scheduler, Folder(Path(os.environ[FOLDER_VARIABLE])))
    looking = PeriodicCallback(watch.look, EVERY * 1000)
    # Those that it has itself are stopped when it ends.
    scheduler.periodic_callbacks["roost-idle"] = looking
    looking.start()


class Watch:
    """What the scheduler remembers of its users."""

    def __init__(self, scheduler: Any, place: Folder) -> None:
        self.scheduler = scheduler
        self.place = place
        self.longest = float(os.environ[IDLE_VARIABLE])
        self.used = time.monotonic()

    def look(self) -> None:
        """Stop the cluster after so long without a client and without a task."""
        clients = set(self.scheduler.clients) - {"fire-and-forget"}
        waiting = any(t.state not in ("memory", "erred") for t in self.scheduler.tasks.values())
        if clients or waiting:
            self.used = time.monotonic()
        elif time.monotonic() - self.used >= self.longest:
            self.used = time.monotonic()  # should this not stop it, it is tried again
            subprocess.Popen(
                [*command(self.place), "stop", self.place.name],
                env=own_environment(self.place),
                cwd=self.place.path,  # a project's random.py is none of roost's
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # it outlives the scheduler, which it ends
            )
