"""``python -m roost.dask.scheduler --folder F``: Dask's own scheduler, for one name."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from roost.dask.attach import tls_variables
from roost.dask.members import FILE_VARIABLE
from roost.dask.ports import LOOPBACK, take
from roost.home import Folder


def arguments(place: Folder) -> list[str]:
    """The words for ``dask scheduler``: loopback, TLS, the ports of last time."""
    return [
        *("--protocol", "tls"),
        *("--host", LOOPBACK),
        *("--port", str(take(place, "scheduler"))),
        *("--dashboard-address", f"{LOOPBACK}:{take(place, 'dashboard')}"),
        *("--scheduler-file", str(place.scheduler)),
        *("--preload", "roost.dask.members"),
    ]


def main() -> None:
    """Run until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    place = Folder(parser.parse_args().folder)
    # What a killed scheduler wrote would send the workers to where nobody is.
    place.scheduler.unlink(missing_ok=True)
    place.members.unlink(missing_ok=True)
    os.environ[FILE_VARIABLE] = str(place.members)
    # Dask reads its configuration when it is imported.
    os.environ.update(tls_variables(place))
    from distributed.cli.dask_scheduler import main as dask_scheduler

    dask_scheduler(arguments(place))


if __name__ == "__main__":
    main()
