"""A Dask preload: import what tasks will need, beside the start instead of in the first task.

The first task on a fresh worker otherwise pays seconds for imports. A thread of low priority does
them after the worker has joined, so that joining is not later for it.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from importlib.util import find_spec
from typing import Any

PACKAGES = "numpy pandas xarray rasterio odc.stac"
"""Packages to import, if the environment has them; $ROOST_WARM names others."""
LOW = 15
"""The thread's niceness, where threads can have one (Linux)."""


def dask_setup(worker: Any) -> None:
    """Set up the worker (called by Dask)."""
    worker.loop.call_later(0.5, lambda: threading.Thread(target=warm, daemon=True).start())


def warm() -> None:
    """Import the packages that are there; what fails here will fail in the task, and be seen."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOW)
    for package in os.environ.get("ROOST_WARM", PACKAGES).split():
        with contextlib.suppress(Exception):
            if find_spec(package.partition(".")[0]) is not None:
                importlib.import_module(package)
