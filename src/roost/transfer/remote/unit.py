"""On a machine: the unit itself. It reads its job once, and needs nobody to listen."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from roost.errors import RoostError
from roost.transfer.context import StoppedError
from roost.transfer.remote.attach import Room, told
from roost.transfer.remote.protocol import Job, job_of
from roost.transfer.remote.runner import Diary, do

PAUSE = 0.5
RESTING = 60.0
"""Seconds without a byte after which a watching job is no work."""


def work(room: Room) -> None:
    """Do the job that lies in the room; SIGTERM ends it, and the next one goes on."""
    with (room.path / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = room.read("job.json")
        (room.path / "job.json").unlink(missing_ok=True)
        token, job = str(found["token"]), job_of(found["job"])
        signal.signal(signal.SIGTERM, _interrupt)
        if job.tree:
            os.umask(0o077)  # until it has its own mode, a file is nobody else's
        room.write("result.json", {"token": token, "end": _end(room, job)})


def _interrupt(number: int, frame: object) -> None:
    del number, frame
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _end(room: Room, job: Job) -> dict[str, Any]:
    """How it ended, in the words of the other machine."""
    diary, over = Diary(), threading.Event()
    teller = threading.Thread(target=_tell, args=(room, diary, over, job.watch), daemon=True)
    teller.start()
    try:
        made = do(_with_authorities(room, job), diary)
    except RoostError as error:
        return {"error": told(error)}
    except (KeyboardInterrupt, StoppedError):
        return {"stopped": True}
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        return {"error": told(RoostError(f"{error.strerror or error}{place}"))}
    except Exception as error:  # a fault of ours: its end must be known there all the same
        traceback.print_exc()
        return {"error": told(RoostError(f"{type(error).__name__}: {error}"))}
    finally:
        over.set()
        teller.join(5)
    return {"outcome": asdict(made)}


def _with_authorities(room: Room, job: Job) -> Job:
    """The certificates that the other computer trusts came as text."""
    text = job.where.ca_bundle
    if not text:
        return job
    path = room.path / "authorities.pem"
    path.write_text(text)
    return replace(job, where=replace(job.where, ca_bundle=str(path)))


def _tell(room: Room, diary: Diary, over: threading.Event, watches: bool) -> None:
    """Write how far it is, whenever that changes; and that it is at work, if it is."""
    last: dict[str, Any] = {}
    moved, planned = (0, 0), False
    since = time.monotonic()
    while True:
        ends = over.wait(PAUSE)
        meter = diary.meter
        now = {
            "stage": diary.stage,
            "files": meter.files,
            "bytes": meter.bytes,
            "total_files": meter.total_files,
            "total_bytes": meter.total_bytes,
            "said": list(diary.said),
        }
        if (meter.files, meter.bytes) != moved:
            moved, since = (meter.files, meter.bytes), time.monotonic()
        with suppress(OSError):
            if diary.planned is not None and not planned:
                room.write("planned.json", asdict(diary.planned))
                planned = True
            if now != last:
                room.write("progress.json", {**now, "seconds": time.monotonic() - meter.begun})
                last = now
            if not watches or time.monotonic() - since < RESTING:
                (room.path / "busy").touch()
        if ends:
            (room.path / "busy").unlink(missing_ok=True)
            return


def main(words: list[str]) -> None:
    """``work ROOM``. Nothing of ours waits for the interpreter's end."""
    work(Room(Path(words[0])))
    sys.stderr.flush()
    os._exit(0)
