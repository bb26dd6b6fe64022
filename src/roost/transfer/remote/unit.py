"""On a machine: the unit itself. It reads its job once, and needs nobody to listen."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from roost.errors import RoostError
from roost.transfer.context import StoppedError
from roost.transfer.job import Job, Progress
from roost.transfer.remote.attach import Room, told
from roost.transfer.runner import Tracker, run

RESTING = 60.0
"""Seconds without a byte after which a watching job is no work."""


def work(room: Room) -> None:
    """Do the job that lies in the room; SIGTERM ends it, and the next one goes on."""
    with (room.path / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = room.read("job.json")
        (room.path / "job.json").unlink(missing_ok=True)
        token, job = str(found["token"]), Job.from_json(found["job"])
        signal.signal(signal.SIGTERM, _interrupt)
        if job.tree:
            os.umask(0o077)  # until it has its own mode, a file is nobody else's
        room.write("result.json", {"token": token, "end": _end(room, job)})


def _interrupt(number: int, frame: object) -> None:
    del number, frame
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _end(room: Room, job: Job) -> dict[str, Any]:
    """Do the job, and return its end as JSON."""
    tracker = Tracker()
    try:
        with tracker.followed(_Writer(room, watches=job.watch)):
            return {"outcome": asdict(run(_with_authorities(room, job), tracker))}
    except RoostError as error:
        return {"error": told(error)}
    except (KeyboardInterrupt, StoppedError):
        return {"stopped": True}
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        return {"error": told(RoostError(f"{error.strerror or error}{place}"))}
    except Exception as error:  # a fault of ours: the user must hear of it all the same
        traceback.print_exc()
        return {"error": told(RoostError(f"{type(error).__name__}: {error}"))}
    finally:
        (room.path / "busy").unlink(missing_ok=True)


def _with_authorities(room: Room, job: Job) -> Job:
    """The certificates that the other computer trusts came as text."""
    text = job.where.ca_bundle
    if not text:
        return job
    path = room.path / "authorities.pem"
    path.write_text(text)
    return replace(job, where=replace(job.where, ca_bundle=str(path)))


class _Writer:
    """Writes the progress whenever it changes; and that the machine is at work, if it is."""

    def __init__(self, room: Room, *, watches: bool) -> None:
        self.room, self.watches = room, watches
        self.last: Progress | None = None
        self.planned = False
        self.moved, self.since = (0, 0), time.monotonic()

    def __call__(self, news: Progress) -> None:
        """Write what is new; a full disk does not end the job."""
        if (news.files, news.bytes) != self.moved:
            self.moved, self.since = (news.files, news.bytes), time.monotonic()
        now = replace(news, planned=None)
        with suppress(OSError):
            if news.planned is not None and not self.planned:
                self.room.write("planned.json", asdict(news.planned))
                self.planned = True
            if replace(now, seconds=0) != self.last:
                self.room.write("progress.json", asdict(now))
                self.last = replace(now, seconds=0)
            if not self.watches or time.monotonic() - self.since < RESTING:
                (self.room.path / "busy").touch()


def main(words: list[str]) -> None:
    """``work ROOM``. Nothing of ours waits for the interpreter's end."""
    work(Room(Path(words[0])))
    sys.stderr.flush()
    os._exit(0)
