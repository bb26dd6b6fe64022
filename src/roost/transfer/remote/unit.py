"""On a machine: the unit of systemd. It reads its job once, and needs no connection."""

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
from roost.transfer.deletion import remove_own
from roost.transfer.job import Job, Progress
from roost.transfer.remote.attach import Spool, error_json
from roost.transfer.runner import Tracker, run

RESTING = 60.0
"""Seconds without a byte after which a watching job does not count as work."""


def work(spool: Spool) -> None:
    """Do the job in the spool; SIGTERM ends it, and the next one continues."""
    with (spool.path / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = spool.read("job.json")
        remove_own([spool.path / "job.json"])
        token, job = str(found["token"]), Job.from_json(found["job"])
        signal.signal(signal.SIGTERM, _interrupt)
        if job.tree:
            os.umask(0o077)  # until a file has its own mode, only its owner can read it
        spool.write("result.json", {"token": token, "end": _end(spool, job)})


def _interrupt(number: int, frame: object) -> None:
    del number, frame
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _end(spool: Spool, job: Job) -> dict[str, Any]:
    """Do the job, and return its end as JSON."""
    tracker = Tracker()
    try:
        with tracker.followed(_Writer(spool, watches=job.watch)):
            return {"outcome": asdict(run(_with_authorities(spool, job), tracker))}
    except RoostError as error:
        return {"error": error_json(error)}
    except (KeyboardInterrupt, StoppedError):
        return {"stopped": True}
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        return {"error": error_json(RoostError(f"{error.strerror or error}{place}"))}
    except Exception as error:  # a bug in roost: the user must see it all the same
        traceback.print_exc()
        return {"error": error_json(RoostError(f"{type(error).__name__}: {error}"))}
    finally:
        remove_own([spool.path / "busy"])


def _with_authorities(spool: Spool, job: Job) -> Job:
    """Write the certificates that came as text to a file, and return the job that names it."""
    text = job.where.ca_bundle
    if not text:
        return job
    path = spool.path / "authorities.pem"
    path.write_text(text)
    return replace(job, where=replace(job.where, ca_bundle=str(path)))


class _Writer:
    """The writer of the progress: when it changes, and while the machine is at work."""

    def __init__(self, spool: Spool, *, watches: bool) -> None:
        self.spool, self.watches = spool, watches
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
                self.spool.write("planned.json", asdict(news.planned))
                self.planned = True
            if replace(now, seconds=0) != self.last:
                self.spool.write("progress.json", asdict(now))
                self.last = replace(now, seconds=0)
            if not self.watches or time.monotonic() - self.since < RESTING:
                (self.spool.path / "busy").touch()


def main(words: list[str]) -> None:
    """Run ``work SPOOL``, and exit without waiting for threads."""
    work(Spool(Path(words[0])))
    sys.stderr.flush()
    os._exit(0)
