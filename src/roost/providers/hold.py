"""A lock for each name: one roost at a time; the system drops the lock with its holder."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

from roost.errors import BusyError
from roost.home import check_name

PATIENCE = 120.0
"""Seconds for what a killed roost had begun to come to its end."""


@contextmanager
def hold(file: Path, name: str, what: str) -> Iterator[None]:
    """Hold ``file`` while at work on ``name``. Raises BusyError, saying who holds it.

    Raises UsageError for no name, before anything is made for it.

    A program begun with ``close_fds=False`` holds it too, until it ends: what a killed roost had
    begun does not go on beside the next one, which waits for it.
    """
    check_name(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as lock:
        _take(lock, name)
        os.set_inheritable(lock.fileno(), True)
        lock.truncate(0)
        json.dump({"pid": os.getpid(), "what": what, "since": _now()}, lock)
        lock.flush()
        yield
        lock.truncate(0)


def _take(lock: IO[str], name: str) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            said = lock.read()
        if time.monotonic() > until or not _killed(said):
            raise BusyError(
                f"another roost is at work on {name}: {_holder(said)}",
                next="wait for it, or end it first",
            )
        time.sleep(0.05)


def _killed(text: str) -> bool:
    """Tell whether the writer of this is gone, and only a program of its own holds the lock."""
    try:
        os.kill(json.loads(text)["pid"], 0)
    except ProcessLookupError:
        return True
    except (ValueError, KeyError, TypeError, OSError):
        return False
    return False


def _holder(text: str) -> str:
    try:
        said = json.loads(text)
        return f"`{said['what']}` (process {said['pid']}, since {said['since']})"
    except (ValueError, KeyError, TypeError):
        return "its command is not known yet"


def _now() -> str:
    return datetime.now().astimezone().strftime("%H:%M:%S")
