"""A warning for a client whose working folder is not that of its workers.

Relative paths then mean other files to tasks than to the client: a notebook in a subfolder, a
program in a folder of its own. Loaded into clients as a Dask preload, by ``client.yaml``.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

from roost.home import Folder, folder
from roost.notebook.dask.discovery import scheduler


def client_variables(place: Folder) -> dict[str, str]:
    """Return the variable with which every ``Client()`` of a process warns."""
    return {
        "DASK_CONFIG": str(place.path / "python" / "roost" / "notebook" / "dask" / "client.yaml")
    }


class OtherFolderWarning(UserWarning):
    """Relative paths mean other files to workers than here."""


def dask_setup(client: Any) -> None:
    """Set up a client that has connected to this cluster or another (called by Dask)."""
    name = os.environ.get("ROOST_NAME")
    if not name:
        return
    place = folder(name)
    addresses = (os.environ.get("DASK_SCHEDULER_ADDRESS"), (scheduler(place) or {}).get("address"))
    if client.scheduler.address in addresses:
        warn_if_elsewhere(place)


def warn_if_elsewhere(place: Folder) -> None:
    """Warn, once in a process, where the working folder is not the project's."""
    try:
        here = Path.cwd().resolve()
        project = Path(place.project.read_text().strip())
    except OSError:
        return
    if here != project.resolve():
        warnings.warn(
            f"the workers of {place.name} work in {project}, and this program works in {here}: "
            "a relative path in a task is another file than here. Use absolute paths, or "
            f"os.chdir({str(project)!r}) first",
            OtherFolderWarning,
            stacklevel=1,
        )
