"""Tell if a program may still write to a file. Where that cannot be told, it may."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

QUIET = 5.0
"""Seconds for which a file must not have changed before it is copied while it is watched."""
MOVE_AGE = 60.0
"""Seconds for which a file must not have changed before it is deleted here."""
OPEN = "a program has it open for writing"


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule for deleting a file: ``min_age`` seconds without a change, and nobody writes.

    ``assume_closed``: the user answers for files of which the system cannot tell.
    """

    min_age: float = MOVE_AGE
    assume_closed: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """A look at an open file; ``reason``: why it may not be deleted now."""

    info: os.stat_result
    reason: str = ""


class Passing(str):
    """A reason that ends by itself."""

    __slots__ = ()


def reason(path: str, rule: Rule, *, follow: bool = False) -> str:
    """Return why a file may not be deleted now, "" where nothing is against it."""
    try:
        with settled(path, rule, follow=follow) as look:
            return look.reason
    except OSError as error:
        return error.strerror or str(error)


def writing(path: str | os.PathLike[str]) -> bool | None:
    """Tell if a program has a file open for writing; None where that cannot be told."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return _lease(file)
    finally:
        os.close(file)  # which ends the lease


@contextmanager
def settled(path: str, rule: Rule, *, follow: bool = False) -> Iterator[Look]:
    """Look at a file that is to be deleted; a writer waits until the block ends. Raises OSError."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW))
    try:
        before = os.fstat(file)
        yield Look(before, _reason(file, path, before, rule))
    finally:
        os.close(file)


def _reason(file: int, path: str, before: os.stat_result, rule: Rule) -> str:
    if not stat.S_ISREG(before.st_mode):
        return "it is not a file"
    age = time.time() - before.st_mtime
    if age < rule.min_age:
        return Passing(f"it changed {max(age, 0):.0f} s ago (--min-age {rule.min_age:g})")
    open_ = _lease(file)
    if open_ or (open_ is None and not rule.assume_closed):
        return Passing(OPEN) if open_ else _unknown(before)
    after, named = os.fstat(file), os.stat(path)
    if _state(after) != _state(before) or not os.path.samestat(named, after):
        return Passing("it changes")
    return ""


def _state(info: os.stat_result) -> tuple[int, int, int]:
    return info.st_size, info.st_mtime_ns, info.st_ctime_ns


def _unknown(info: os.stat_result) -> str:
    what = "the system does not say if a program still writes to it"
    if info.st_uid != os.geteuid():
        what += f", as it belongs to another user ({info.st_uid})"
    return f"{what}; --assume-closed if none does"


def _lease(file: int) -> bool | None:
    """Ask Linux for a read lease, which it grants only if nobody has the file open for writing.

    The lease lasts until the file is closed: whoever opens it for writing waits so long. None:
    another user's file, or a file system without leases.
    """
    lease, signal_for = getattr(fcntl, "F_SETLEASE", None), getattr(fcntl, "F_SETSIG", None)
    if lease is None or signal_for is None:
        return None
    try:
        # By default the kernel ends the process with SIGIO where a writer comes.
        fcntl.fcntl(file, signal_for, signal.SIGURG)
        fcntl.fcntl(file, lease, fcntl.F_RDLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    return False
