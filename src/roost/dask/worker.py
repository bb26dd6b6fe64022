"""``python -m roost.dask.worker --folder F --name worker-1 ...``: Dask's own worker, for one name.

It waits for the scheduler, so head and workers can start in any order.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from roost.dask.attach import tls_variables, wait_for_scheduler
from roost.dask.ports import LOOPBACK
from roost.home import Folder

PATIENCE = 120.0
"""Seconds to wait for a scheduler; the supervisor starts us again after that."""
MALLOC = {
    # With the nanny's defaults every temporary array of 16 MB goes back to the system and is
    # fetched again, which took NDVI of a large scene from 7 to 10 seconds.
    "MALLOC_TRIM_THRESHOLD_": 268_435_456,
    "MALLOC_MMAP_THRESHOLD_": 268_435_456,
}


def arguments(address: str, options: argparse.Namespace) -> list[str]:
    """The words for ``dask worker``."""
    return [
        address,
        *("--name", options.name),
        *("--nworkers", "1"),
        *("--nthreads", str(options.nthreads)),
        *("--memory-limit", str(options.memory_limit)),
        *("--local-directory", options.local_directory),
        *("--host", LOOPBACK),
        *("--death-timeout", "60"),
        # Its pages would listen everywhere without this, dashboard or not.
        *("--dashboard-address", f"{LOOPBACK}:0"),
        "--no-dashboard",
        *("--preload", "roost.dask.warm"),
    ]


def main() -> int:
    """Run until told to stop, or until the scheduler is gone. 1 where none was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--nthreads", type=int, default=1)
    parser.add_argument("--memory-limit", default="auto", help="bytes")
    parser.add_argument("--local-directory", required=True)
    options = parser.parse_args()
    place = Folder(options.folder)
    # Dask reads its configuration when it is imported; that takes a while, so it is done before
    # the scheduler is there.
    os.environ.update(tls_variables(place))
    import dask.config
    from distributed.cli.dask_worker import main as dask_worker

    dask.config.set({"distributed.nanny.pre-spawn-environ": MALLOC})
    said = wait_for_scheduler(place, PATIENCE)
    if said is None:
        print(f"no scheduler wrote {place.scheduler} within {PATIENCE:g} s", file=sys.stderr)  # noqa: T201
        return 1
    dask_worker(arguments(said["address"], options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
