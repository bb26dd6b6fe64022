"""A Dask preload: the modules that the file names, also those of the project's folder.

They are imported once the worker is in that folder, which is after Dask imports its own preloads.
"""

from __future__ import annotations

import os
from typing import Any

PRELOAD_VARIABLE = "ROOST_PRELOAD"
"""The modules that each worker imports."""


async def dask_setup(worker: Any) -> None:
    """Set up the worker (called by Dask)."""
    from distributed.preloading import process_preloads

    names = os.environ.get(PRELOAD_VARIABLE, "").split()
    await process_preloads(worker, names, [], file_dir=worker.local_directory).start()
