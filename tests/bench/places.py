"""Where the bench keeps its things, and how it runs programs."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path

HOME = Path(os.environ.get("ROOST_BENCH", "/var/tmp/roost-bench"))
"""``cache/`` is kept from run to run (base systems, layers); ``run/<number>/`` is one bench."""
CACHE = HOME / "cache"
RUNS = HOME / "run"
HERE = Path(__file__).parent


class CommandFailed(Exception):  # noqa: N818 - shown by its text only
    """A program of the host that ended badly, with what it said."""


def run(*argv: object, check: bool = True, text: str | None = None, seconds: float = 600) -> str:
    """What a program prints. Raises CommandFailed where it fails."""
    words = [str(word) for word in argv]
    done = subprocess.run(
        words, input=text, capture_output=True, text=True, check=False, timeout=seconds
    )
    if check and done.returncode:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise CommandFailed(f"{' '.join(words)[:300]}: {done.returncode}: {said}")
    return done.stdout


def until(true: Callable[[], object], seconds: float, what: str, pause: float = 0.05) -> None:
    """Wait until something is so. Raises TimeoutError naming it."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(pause)


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """One process at a time."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lock:
        flock(lock, LOCK_EX)
        yield
