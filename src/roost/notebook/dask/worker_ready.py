"""A Dask preload: the worker leaves a file once the scheduler has accepted it.

Its nanny is connected long before that, so that nobody else on the machine could tell.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

JOINED_VARIABLE = "ROOST_JOINED"
"""The variable with the file's path; without it no file is written."""
EVERY = 0.1
"""Seconds between two looks."""


def dask_setup(worker: Any) -> None:
    """Set up the worker (called by Dask)."""
    if JOINED_VARIABLE in os.environ:
        look(worker, Path(os.environ[JOINED_VARIABLE]))


def look(worker: Any, file: Path) -> None:
    """Leave the file, now or later."""
    if worker.status.name == "running":
        file.touch()
    else:
        worker.loop.call_later(EVERY, look, worker, file)


def forget() -> None:
    """Delete the file: a worker that begins has not joined yet."""
    if JOINED_VARIABLE in os.environ:
        Path(os.environ[JOINED_VARIABLE]).unlink(missing_ok=True)
