"""Only one roost at a time works on a name: a file lock, which the system drops with its holder."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from roost.errors import BusyError


@contextmanager
def hold(file: Path, name: str, what: str) -> Iterator[None]:
    """Hold ``file`` while at work on ``name``. Raises BusyError, saying who holds it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise BusyError(
                f"another roost is at work on {name}: {_holder(lock.read())}",
                next="wait for it, or end it first",
            ) from None
        lock.truncate(0)
        json.dump({"pid": os.getpid(), "what": what, "since": _now()}, lock)
        lock.flush()
        yield
        lock.truncate(0)


def _holder(text: str) -> str:
    try:
        said = json.loads(text)
        return f"`{said['what']}` (process {said['pid']}, since {said['since']})"
    except (ValueError, KeyError, TypeError):
        return "who it is, it has not said yet"


def _now() -> str:
    return datetime.now().astimezone().strftime("%H:%M:%S")
