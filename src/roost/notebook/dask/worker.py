"""``python -m roost.notebook.dask.worker --name worker-1 ...``: Dask's own worker, for one name.

It waits for the scheduler, so head and workers can start in any order. Threads and memory are all
that the machine has, where nothing else is said.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from roost.home import Folder
from roost.notebook.dask.discovery import tls_variables, wait_for_scheduler
from roost.notebook.dask.ports import LOOPBACK
from roost.notebook.dask.project import announce
from roost.notebook.dask.retire import still_retired
from roost.notebook.dask.worker_ready import forget

PATIENCE = 120.0
"""Seconds to wait for a scheduler; the supervisor starts us again after that."""
MALLOC = {
    # With the nanny's defaults every temporary array of 16 MB goes back to the system and is
    # fetched again, which took NDVI of a large scene from 7 to 10 seconds.
    "MALLOC_TRIM_THRESHOLD_": 268_435_456,
    "MALLOC_MMAP_THRESHOLD_": 268_435_456,
}
SYSTEM_BYTES, SYSTEM_SHARE = 300 * 2**20, 0.05
"""Memory that a whole machine keeps for its system, the nanny and the disk cache."""


def arguments(address: str, options: argparse.Namespace) -> list[str]:
    """Return the words for ``dask worker``; several processes share the CPUs and the memory."""
    count = cpus() if options.processes == "cpus" else int(options.processes)
    return [
        address,
        *("--name", options.name),
        *("--nworkers", str(count)),
        *("--nthreads", str(options.nthreads or max(1, cpus() // count))),
        *("--memory-limit", str(options.memory_limit or memory() // count)),
        *("--local-directory", os.path.abspath(options.local_directory)),
        *("--host", options.host),
        *("--death-timeout", "60"),
        # Its pages would listen everywhere without this, dashboard or not.
        *("--dashboard-address", f"{LOOPBACK}:0"),
        "--no-dashboard",
        *("--preload", "roost.notebook.dask.project"),
        *("--preload", "roost.notebook.dask.worker_ready"),
        *("--preload", "roost.notebook.dask.prewarm"),
        *("--preload", "roost.notebook.dask.preload"),
        *(("--resources", options.resources) if options.resources else ()),
        *(() if options.nanny else ("--no-nanny",)),
        *(("--worker-class", options.worker_class) if options.worker_class else ()),
    ]


def cpus() -> int:
    """Return the number of CPUs that this process may use."""
    from dask.system import CPU_COUNT

    return int(CPU_COUNT)


def memory() -> int:
    """Return the bytes for the worker where it has the machine to itself."""
    from distributed.system import MEMORY_LIMIT

    whole = int(MEMORY_LIMIT)
    return max(whole // 2, int(whole * (1 - SYSTEM_SHARE)) - SYSTEM_BYTES)


def main() -> int:
    """Run until told to stop, or until the scheduler is gone. 1 where none was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--nthreads", type=int, help="(default: the CPUs)")
    parser.add_argument("--memory-limit", help="bytes (default: nearly all)")
    parser.add_argument("--local-directory", required=True)
    parser.add_argument("--processes", default="1", help='how many, or "cpus"')
    parser.add_argument("--resources", help="GPU=1,...")
    parser.add_argument("--no-nanny", dest="nanny", action="store_false")
    parser.add_argument("--worker-class")
    parser.add_argument("--host", default=LOOPBACK, help="the address to listen on")
    options = parser.parse_args()
    place = Folder(options.folder.absolute())
    forget()
    while still_retired():
        time.sleep(1)
    announce(place)
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
