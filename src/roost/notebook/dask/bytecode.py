"""A Dask preload: compile the environment beside the work, and not before it starts.

Python compiles what it imports anyway; the rest took most of a first start on a busy computer.
Only for an environment of the user's own machine, which is a link: others come compiled.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

MARK = ".roost-compiled"
"""Written into the environment once all of it is compiled."""
AFTER = 20.0
"""Seconds after the start: the first imports are on their way then."""
PROGRAM = (
    "import compileall, pathlib, sys\n"
    "compileall.compile_dir(sys.argv[1], quiet=2, workers=1)\n"
    "pathlib.Path(sys.argv[2]).touch()\n"
)


def dask_setup(scheduler: Any) -> None:
    """Set up the scheduler (called by Dask)."""
    place = Path(sys.prefix)
    if place.is_symlink() and not (place / MARK).exists():
        scheduler.loop.call_later(AFTER, begin, place.resolve())


def begin(environment: Path) -> None:
    """Compile, at the lowest priority; who ends before it is done goes on the next time."""
    words = [sys.executable, "-I", "-c", PROGRAM, str(environment / "lib"), str(environment / MARK)]
    subprocess.Popen(
        ["nice", "-n", "19", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
