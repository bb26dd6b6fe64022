"""The project's folder, in which scheduler and workers run as notebooks do.

A relative path means the same file to a task as to the notebook that asked for it, and a module
beside the notebook can be imported by tasks. Loaded into scheduler and workers as a Dask preload,
so that roost and Dask are imported before any module of the project's can take their place.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from roost.errors import RoostError
from roost.home import Folder

PROJECT_VARIABLE = "ROOST_PROJECT"
"""The folder, for the processes that scheduler and worker make."""
INSTALLED = ("site-packages", "dist-packages")


def project_folder(place: Folder) -> Path:
    """Return the project's folder. Raises RoostError where there is none."""
    try:
        project = Path(place.project.read_text().strip())
    except OSError as error:
        raise RoostError(f"cannot read {place.project}: {error.strerror}") from None
    if not project.is_dir():
        raise RoostError(
            f"the project's folder is not there: {project}",
            next=f"put it back, or `roost up` with the file of {place.name} where it is now",
        )
    return project


def announce(place: Folder) -> None:
    """Tell the preload of this process and its children where the folder is; ends with 1 if none.

    A worker that started elsewhere would write its part of the results where nobody looks.
    """
    try:
        os.environ[PROJECT_VARIABLE] = str(project_folder(place))
    except RoostError as error:
        sys.exit(f"roost: {error.what}: {error.next}" if error.next else f"roost: {error.what}")


def dask_setup(server: Any) -> None:
    """Enter the folder: called by Dask in the scheduler, and in each worker process it starts."""
    del server
    try:
        enter(os.environ[PROJECT_VARIABLE])
    except OSError as error:
        # Dask continues after an exception of a preload: in another folder, which loses data.
        print(f"roost: cannot work in {error.filename}: {error.strerror}", file=sys.stderr)  # noqa: T201
        sys.stderr.flush()
        os._exit(1)


def enter(project: str) -> None:
    """Make it the working folder, and import from it as a notebook does.

    As IPython does it: after the standard library, before what is installed, so that a
    ``random.py`` of the project's hides nothing that Python itself needs.
    """
    os.chdir(project)
    others = [path for path in sys.path if path != project]
    installed = (at for at, path in enumerate(others) if Path(path).name in INSTALLED)
    at = next(installed, len(others))
    sys.path[:] = [*others[:at], project, *others[at:]]
