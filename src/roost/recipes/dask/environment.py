"""The locked Python environment: made once per lock by uv, the same on every node."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from roost.errors import RoostError
from roost.recipes.step import Command, Step

if TYPE_CHECKING:
    from roost.spec.environment import Environment

DONE = ".roost-ready"
"""Written into the environment once it is whole."""


def environment_path(environment: Environment, at: Path) -> Path:
    """Return the environment's folder below roost's home: another lock is another folder."""
    return path_of(environment.digest, at)


def path_of(digest: str, at: Path) -> Path:
    """Return the folder of the environment whose lock has this digest."""
    return at / "environments" / digest[:16]


def environment_step(environment: Environment, at: Path) -> Step:
    """Return a step with ``uv sync --frozen``: exactly what the lock says, or nothing."""
    path = environment_path(environment, at)
    wanted = ("--python", environment.python) if environment.python else ()
    sync = ("sync", "--frozen", "--no-dev")  # compiled beside the work: notebook/dask/bytecode.py
    return Step(
        name="environment",
        title="installing the Python environment",
        commands=(
            Command(
                argv=(find_uv(), *sync, "--project", str(environment.locked), *wanted),
                env=(("UV_PROJECT_ENVIRONMENT", str(path)), ("UV_NO_PROGRESS", "1")),
            ),
        ),
        creates=str(path / DONE),
    )


def find_uv() -> str:
    """Return the uv that runs roost, one on the PATH, or the one installed with roost."""
    for candidate in (os.environ.get("UV"), shutil.which("uv")):
        if candidate and Path(candidate).is_file():
            return candidate
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        raise RoostError("uv is not installed", next="pip install uv") from None
