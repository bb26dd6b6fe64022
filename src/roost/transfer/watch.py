"""Copy files as they are finished, from an instrument's folder to S3, until stopped."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from roost.errors import UsageError
from roost.transfer.context import Run
from roost.transfer.engine import Done, Sync
from roost.transfer.listing import Entry
from roost.transfer.verify import Proven, verify

QUIET = 5.0
"""Seconds for which a file must not have changed."""


@dataclass(frozen=True, slots=True)
class Janitor:
    """A rule that deletes ``waste`` once ``wanted`` of the same ``*`` is proven in S3.

    ``movies/*.tiff`` and ``aligned/*.mrc``: a movie goes when its aligned micrograph is safe.
    """

    waste: str
    wanted: str

    def wants(self, name: str) -> str | None:
        """Return the file that must be in S3 before this one goes; None for any other file."""
        before, _, after = self.waste.partition("*")
        found = re.fullmatch(f"{re.escape(before)}(.+){re.escape(after)}", name, re.DOTALL)
        return self.wanted.replace("*", found[1], 1) if found else None


def janitor(text: str) -> Janitor:
    """Return the rule of ``movies/*.tiff=aligned/*.mrc``. Raises UsageError."""
    waste, _, wanted = text.partition("=")
    if waste.count("*") != 1 or wanted.count("*") != 1 or waste == wanted:
        raise UsageError(
            f"--janitor {text}: one * on both sides of =",
            next="--janitor 'movies/*.tiff=mrc/*.mrc'",
        )
    return Janitor(waste, wanted)


def finished(path: Path, entry: Entry, now: float, quiet: float = QUIET) -> bool:
    """Tell if no program writes to a file any more."""
    return now - entry.mtime_ns / 1e9 >= quiet and not _open_for_writing(path)


def _open_for_writing(path: Path) -> bool:
    """Ask Linux for a read lease, which it grants only if nobody has the file open for writing."""
    lease = getattr(fcntl, "F_SETLEASE", None)
    if lease is None:
        return False
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return True
    try:
        fcntl.fcntl(file, lease, fcntl.F_RDLCK)
        fcntl.fcntl(file, lease, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN  # another error: this file system has no leases
    finally:
        os.close(file)
    return False


def rounds(
    sync: Sync, stop: threading.Event, *, quiet: float = QUIET, pause: float = 2.0
) -> Iterator[Done]:
    """Copy what is finished, again and again; yield what was done, wherever something was.

    S3 is listed once; after that, what was sent is known. Raises RoostError.
    """
    sync = replace(
        sync, ready=lambda e: finished(sync.run.folder.path(e.name), e, time.time(), quiet)
    )
    first = True
    while not stop.is_set():
        planned = sync.plan() if first else sync.plan_known()
        first = False
        done = sync.do(planned)
        if done.copied or done.failed:
            yield done
        stop.wait(pause)


def keep_on(
    sync: Sync,
    rules: tuple[Janitor, ...],
    note: Callable[[str], None],
    warn: Callable[[str], None],
    *,
    move: bool,
) -> None:
    """Copy what is finished, and delete what move and rules say, until told to stop.

    ``note`` hears of what goes well, ``warn`` of what is not in order and of the rules' deletions.
    Raises RoostError.
    """
    for done in rounds(sync, sync.run.stop):
        for known in done.copied:
            note(f"stored {known.name}")
        for name, why in done.failed:
            warn(f"not stored: {name}: {why}")
        for name in sweep(sync, rules):
            warn(f"deleted {name}: its result is proven in S3")
        if move:
            gone, wrong = move_away(sync)
            if gone:
                note(f"deleted {len(gone)} here that are proven in S3")
            for name, why in wrong:
                warn(f"kept {name}: {why}")


def move_away(sync: Sync) -> tuple[list[str], list[tuple[str, str]]]:
    """Delete the files that are proven to be in S3; return them, and those that are not proven."""
    proof = verify(sync.run, sync.may_go, manifest=False)
    gone = [one.name for one in proof.proven if _remove(sync.run, one)]
    sync.run.folder.remove_empty(set(gone), set())
    return gone, list(proof.wrong)


def sweep(sync: Sync, rules: tuple[Janitor, ...]) -> list[str]:
    """Delete what the rules call waste, where its counterpart is proven; return what went."""
    due: dict[str, str] = {}
    ages: dict[str, Entry] = {}
    for entry in sync.run.folder.files(lambda name, why: None):
        wanted = next((w for w in (rule.wants(entry.name) for rule in rules) if w), None)
        if wanted:
            due[entry.name], ages[entry.name] = wanted, entry
    if not due:
        return []
    needed = set(due.values())
    proof = verify(sync.run, needed.__contains__, manifest=False)
    safe = {one.name for one in proof.proven}
    gone = [
        name for name, wanted in due.items() if wanted in safe and _delete(sync.run, ages[name])
    ]
    return gone


def _remove(run: Run, one: Proven) -> bool:
    return _delete(run, Entry(one.name, one.size, one.mtime_ns))


def _delete(run: Run, entry: Entry) -> bool:
    """Delete a file if it is still what was looked at."""
    if entry.folder:
        return False
    try:
        info = run.folder.path(entry.name).stat(follow_symlinks=run.folder.follow)
        if (info.st_size, info.st_mtime_ns) != (entry.size, entry.mtime_ns):
            return False
        run.folder.remove(entry.name)
    except OSError:
        return False
    return True
