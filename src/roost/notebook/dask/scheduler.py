"""``python -m roost.notebook.dask.scheduler --folder F``: Dask's own scheduler, for one name."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from roost.home import Folder
from roost.notebook.dask.activity import WORKING_VARIABLE
from roost.notebook.dask.discovery import tls_variables
from roost.notebook.dask.follow import FOLDER_VARIABLE
from roost.notebook.dask.membership import FILE_VARIABLE
from roost.notebook.dask.page_guard import guard
from roost.notebook.dask.ports import LOOPBACK, take
from roost.notebook.dask.project import announce


def arguments(
    place: Folder, host: str = LOOPBACK, port: int | None = None, pages: int | None = None
) -> list[str]:
    """Return the words for ``dask scheduler``: TLS, and last time's ports unless given."""
    return [
        *("--protocol", "tls"),
        *("--host", host),
        *("--port", str(port or take(place, "scheduler"))),
        *("--dashboard-address", f"{LOOPBACK}:{pages or take(place, 'dashboard')}"),
        *("--scheduler-file", str(place.scheduler)),
        *("--preload", "roost.notebook.dask.project"),
        *("--preload", "roost.notebook.dask.membership"),
        *("--preload", "roost.notebook.dask.activity"),
        *("--preload", "roost.notebook.dask.follow"),
        *("--preload", "roost.notebook.dask.idle"),
        *("--preload", "roost.notebook.dask.bytecode"),
    ]


def main() -> None:
    """Run until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--host", default=LOOPBACK, help="the address to listen on")
    parser.add_argument("--port", type=int, help="this port and no other")
    parser.add_argument("--dashboard-port", type=int, help="this port for its pages")
    options = parser.parse_args()
    place = Folder(options.folder.absolute())
    # The file of a killed scheduler would send the workers to a dead address.
    place.scheduler.unlink(missing_ok=True)
    place.members.unlink(missing_ok=True)
    place.working.unlink(missing_ok=True)
    announce(place)
    os.environ[FILE_VARIABLE] = str(place.members)
    os.environ[WORKING_VARIABLE] = str(place.working)
    os.environ[FOLDER_VARIABLE] = str(place.path)
    # Dask reads its configuration when it is imported.
    os.environ.update(tls_variables(place))
    guard(place)
    from distributed.cli.dask_scheduler import main as dask_scheduler

    dask_scheduler(arguments(place, options.host, options.port, options.dashboard_port))


if __name__ == "__main__":
    main()
