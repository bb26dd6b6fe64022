"""Data on the disk: of one file, or of all files of a disk at once."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable

_REPORTS = (5, 8)
"""The version of Linux from which on syncfs says that something could not be written."""

_BEGIN = 2
"""SYNC_FILE_RANGE_WRITE: begin to write, and wait for nothing."""
ENOUGH = 4096
"""Open files that are enough for several batches of received ones."""


def whole_disk() -> Callable[[int], None] | None:
    """Return a function that puts all of a file system on its disk, by any descriptor on it.

    The descriptor must be older than what is written: then it hears of each error. None where the
    system has no such call, or one that keeps errors to itself: ``os.fsync`` each file then.
    """
    if sys.platform != "linux" or _linux() < _REPORTS:
        return None
    import ctypes

    function = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if function is None:
        return None

    def sync(file: int) -> None:
        if function(file):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    return sync


def early_start() -> Callable[[int, int, int], object]:
    """Return a function of a file, an offset and a size that lets the disk begin with these bytes.

    Little is then left for the end to wait for. The bytes stay in memory, for whoever reads them
    next. Where the system has no such call, nothing is done.
    """
    import ctypes

    function = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if sys.platform != "linux" or function is None:
        return lambda file, at, size: None
    function.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return lambda file, at, size: function(file, at, size, _BEGIN)


def _linux() -> tuple[int, int]:
    major, _, rest = platform.release().partition(".")
    minor = rest.partition(".")[0].partition("-")[0]
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)


def open_files() -> int:
    """Return how many files this process may have open, after asking for as many as it needs."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(ENOUGH, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return ENOUGH if soft == resource.RLIM_INFINITY else soft
