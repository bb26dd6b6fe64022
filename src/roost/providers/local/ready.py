"""Checks before anything is begun: room on the disk, and a free port."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from roost.errors import RoostError
from roost.home import home
from roost.notebook.dask.ports import free
from roost.recipes.dask.environment import DONE, environment_path

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.spec.environment import Environment

ENVIRONMENT_GIB = 1.5
"""A scientific Python environment: 0.6 GB installed, and the downloads that it is made from."""
WORK_GIB = 0.2


def check_room(environment: Environment) -> None:
    """Raise RoostError where the disk under roost's home has too little left."""
    place = home()
    made = (environment_path(environment, place) / DONE).exists()
    needed = WORK_GIB if made else ENVIRONMENT_GIB
    free = shutil.disk_usage(_existing(place)).free / 2**30
    if free < needed:
        raise RoostError(
            f"too little room: {place} has {free:.1f} GB free, this needs about {needed:g} GB",
            next="make room there, or set ROOST_HOME to a folder on a larger disk",
        )


def check_port(port: int | None, state: State) -> None:
    """Raise RoostError where another program has the port that JupyterLab shall have."""
    ours = any(i.role == "head" and i.state in ("running", "pending") for i in state.instances)
    if port is not None and not ours and not free(port):
        raise RoostError(
            f"port {port} is taken by another program",
            next="end that program, or another `port` under [jupyter] (without it: any free one)",
        )


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
