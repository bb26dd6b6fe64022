"""Received files on their way to their names: data on the disk first, then the names, in batches.

A file is written beside its place under a name of its own. No file gets its name before its bytes
are on the disk, so a crash at any time leaves either what was there before or all of the new file.
Waiting for the disk once for hundreds of files is what makes small ones fast.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from itertools import count
from threading import Lock
from typing import NamedTuple

from roost.transfer import deletion
from roost.transfer.deletion import Seen
from roost.transfer.durable import open_files, whole_disk
from roost.transfer.key_rules import part_name
from roost.transfer.local import Folder, write_at

FILES, BYTES, SECONDS = 512, 256 * 2**20, 2.0
"""A batch ends at so many files or bytes, or when its first file has waited so long."""
FEW = 16
"""Fewer files than this are put on the disk one by one: nobody else's data is waited for."""
OTHERS = 256
"""Open files of all else."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Stat(NamedTuple):
    """The time and the executable bit that a file gets."""

    mtime_ns: int
    executable: bool


class Arrival(NamedTuple):
    """A written file without its name. ``part`` and ``last`` are names in ``folder``.

    It stays open, and locked, until it has its name: another roost leaves it alone.
    """

    folder: str
    part: str
    last: str
    file: int
    info: os.stat_result
    seen: Seen | None
    settled: Callable[[os.stat_result], None]

    @property
    def name(self) -> str:
        """The name of the file, from the root."""
        return f"{self.folder}/{self.last}" if self.folder else self.last


class Arrivals:
    """The received files of one sync. Many threads add to them."""

    def __init__(self, folder: Folder) -> None:
        self.folder, self.below = folder, folder.below
        self.failed: list[tuple[str, OSError]] = []
        self._sync = whole_disk()
        self._device = os.fstat(self.below.root).st_dev
        self._token, self._numbers = os.urandom(8).hex(), count()
        self._files = min(FILES, max(FEW, (open_files() - OTHERS) // 3))
        self._lock, self._bytes, self._since = Lock(), 0, 0.0
        self._waiting: list[Arrival] = []

    def write(
        self, name: str, body: bytes, kept: Stat, settled: Callable[[os.stat_result], None]
    ) -> None:
        """Write a file; ``settled`` is called when it has its name, maybe later. Raises OSError."""
        folder, _, last = name.rpartition("/")
        part = part_name(f"{self._token} {next(self._numbers)}")
        with self.below.folder(folder, make=True) as at:
            file = os.open(part, _NEW, 0o666, dir_fd=at)
            try:
                with suppress(OSError):  # not every file system has locks
                    flock(file, LOCK_EX | LOCK_NB)
                _fill(file, body)
                info = dress(file, kept)
                if self._sync is None or info.st_dev != self._device:
                    os.fsync(file)
            except OSError:
                os.close(file)
                deletion.discard_part(part, at=at)
                raise
        self._add(Arrival(folder, part, last, file, info, self.folder.seen.get(name), settled))

    def _add(self, arrival: Arrival) -> None:
        now = time.monotonic()
        with self._lock:
            if not self._waiting:
                self._since = now
            self._waiting.append(arrival)
            self._bytes += arrival.info.st_size
            full = len(self._waiting) >= self._files or self._bytes >= BYTES
            if not full and now - self._since < SECONDS:
                return
            batch = self._taken()
        self._settle(batch)

    def end(self) -> None:
        """Give all files that wait for it their names. Raises OSError where the disk refuses."""
        with self._lock:
            batch = self._taken()
        self._settle(batch)

    def _taken(self) -> list[Arrival]:
        batch, self._waiting, self._bytes = self._waiting, [], 0
        return batch

    def _settle(self, batch: list[Arrival]) -> None:
        try:
            self._put_on_disk(batch)
            folders: dict[str, list[Arrival]] = {}
            for one in batch:
                folders.setdefault(one.folder, []).append(one)
            for folder, inside in folders.items():
                self._name(folder, inside)
        finally:
            for one in batch:
                os.close(one.file)

    def _put_on_disk(self, batch: list[Arrival]) -> None:
        if self._sync is None:
            return  # each is there already
        try:
            if len(batch) >= FEW:
                self._sync(self.below.root)
            else:
                for one in batch:
                    os.fsync(one.file)
        except OSError as error:
            for one in batch:
                self._discard(one, error)
            raise

    def _discard(self, one: Arrival, error: OSError) -> None:
        self.failed.append((one.name, error))
        with suppress(OSError), self.below.folder(one.folder) as at:
            deletion.discard_part(one.part, at=at)

    def _name(self, folder: str, inside: list[Arrival]) -> None:
        """Give the files in one folder their names."""
        left = list(inside)
        settled: list[Arrival] = []
        try:
            with self.below.folder(folder) as at:
                while left:
                    one = left.pop()
                    try:
                        deletion.give_name(one.part, one.last, one.seen, at=at)
                        settled.append(one)
                    except OSError as error:
                        self._discard(one, error)
                os.fsync(at)
                if not self.below.in_place(folder, at):
                    raise OSError(errno.ESTALE, "its folder was replaced while it was written")
        except OSError as error:
            self.below.forget(folder)
            for one in (*left, *settled):
                self._discard(one, error)
            return
        for one in settled:
            one.settled(one.info)


def _fill(file: int, body: bytes | bytearray) -> None:
    view = memoryview(body)
    if len(view) > 2**16:  # there may be holes
        write_at(file, view, 0)
        os.ftruncate(file, len(view))
        return
    while view:
        view = view[os.write(file, view) :]


def dress(file: int, kept: Stat) -> os.stat_result:
    """Give an open file its time and executable bit; return its status. Raises OSError."""
    if kept.executable:
        mode = os.fstat(file).st_mode
        os.fchmod(file, stat.S_IMODE(mode) | (mode & 0o444) >> 2)
    os.utime(file, ns=(kept.mtime_ns, kept.mtime_ns))
    return os.fstat(file)
