"""A cache of what is the same on both sides, so that a sync need not ask again.

One line says: this object (its ETag) is this file (its size and time). It may be lost at any time;
then each object is asked once for the time of its file.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from roost.errors import BusyError
from roost.home import home
from roost.transfer.deletion import remove_own
from roost.transfer.listing import Entry


class Known(NamedTuple):
    """One line of the cache."""

    name: str
    tag: str
    size: int
    mtime_ns: int


class Cache:
    """The cache of one pair of sides, held by one process at a time."""

    def __init__(self, folder: Path, place: str, where: str) -> None:
        base = home() / "sync"
        base.mkdir(parents=True, exist_ok=True, mode=0o700)
        known = sha256(f"{folder.resolve()}\0{place}\0{where}".encode()).hexdigest()[:24]
        self._lock = (base / f"{known}.lock").open("w")
        try:
            flock(self._lock, LOCK_EX | LOCK_NB)
        except OSError:
            self._lock.close()
            raise BusyError(f"another roost copies between {folder} and {place}") from None
        self._path = base / f"{known}.sqlite"
        self._new: list[Known] = []
        try:
            self._db = self._open()
        except sqlite3.DatabaseError:  # a damaged cache is made again
            remove_own(base.glob(f"{known}.sqlite*"))
            self._db = self._open()

    def _open(self) -> sqlite3.Connection:
        made = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("PRAGMA synchronous=OFF")
        made.execute(
            "CREATE TABLE IF NOT EXISTS known"
            " (name TEXT PRIMARY KEY, tag TEXT, size INTEGER, mtime_ns INTEGER) WITHOUT ROWID"
        )
        made.execute(
            "CREATE TABLE IF NOT EXISTS uploads "
            " (key TEXT, id TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER)"
        )
        made.execute("CREATE TABLE IF NOT EXISTS begins (key TEXT, at REAL)")
        made.execute(
            "CREATE TEMP TABLE sorted (name TEXT, size INT, mtime_ns INT, tag TEXT, class TEXT)"
        )
        return made

    def __enter__(self) -> Cache:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.save()
        self._db.close()
        self._lock.close()

    def in_order(self) -> Iterator[Known]:
        """Yield all lines, in order of names."""
        yield from map(Known._make, self._db.execute("SELECT * FROM known ORDER BY name"))

    def add(self, known: Known) -> None:
        """Remember a line (by any thread); ``save`` writes it."""
        self._new.append(known)

    def save(self) -> None:
        """Write what was added."""
        new, self._new = self._new, []
        if new:
            self._db.execute("BEGIN")
            self._db.executemany("REPLACE INTO known VALUES (?, ?, ?, ?)", new)
            self._db.execute("COMMIT")

    def forget(self, names: Iterable[str]) -> None:
        """Remove the lines of deleted names."""
        self._db.execute("BEGIN")
        self._db.executemany("DELETE FROM known WHERE name = ?", ((name,) for name in names))
        self._db.execute("COMMIT")

    def sort(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Yield the lines in order of names, however many: by the disk, not in memory."""
        self._db.execute("DELETE FROM sorted")
        rows = ((one.name, one.size, one.mtime_ns, one.tag, one.storage) for one in entries)
        self._db.execute("BEGIN")
        self._db.executemany("INSERT INTO sorted VALUES (?, ?, ?, ?, ?)", rows)
        self._db.execute("COMMIT")
        for row in self._db.execute("SELECT * FROM sorted ORDER BY name"):
            name, size, mtime_ns, tag, storage = row
            yield Entry(name, size, mtime_ns, tag, name.endswith("/"), storage)

    # --- multipart uploads that are ours -----------------------------------------------------

    def begins(self, key: str) -> float:
        """Remember that a multipart upload is asked for, as the answer may be lost; return when."""
        now = time.time()
        self._db.execute("INSERT INTO begins VALUES (?, ?)", (key, now))
        return now

    def began(self, key: str, upload: str, size: int, mtime_ns: int, asked: float = 0) -> None:
        """Remember a multipart upload that begins, to end it later, and was ``asked`` for then."""
        self._db.execute("REPLACE INTO uploads VALUES (?, ?, ?, ?)", (key, upload, size, mtime_ns))
        self._db.execute("DELETE FROM begins WHERE key = ? AND at = ?", (key, asked))

    def lost(self) -> list[tuple[str, float]]:
        """Return the keys of uploads that were asked for without an answer, and when."""
        return list(self._db.execute("SELECT key, at FROM begins"))

    def forget_lost(self) -> None:
        """Forget the uploads without an answer: they have ended."""
        self._db.execute("DELETE FROM begins")

    def ended(self, upload: str) -> None:
        """Forget an upload that has ended."""
        with suppress(sqlite3.Error):
            self._db.execute("DELETE FROM uploads WHERE id = ?", (upload,))

    def unended(self) -> list[tuple[str, str, int, int]]:
        """Return key, id, and the file's size and time, of all that began and did not end."""
        return list(self._db.execute("SELECT key, id, size, mtime_ns FROM uploads"))


class Cursor:
    """The search for names that are asked for in order, in one pass."""

    def __init__(self, lines: Iterator[Known]) -> None:
        self._lines = lines
        self._now = next(lines, None)

    def __call__(self, name: str) -> Known | None:
        """Return the line of a name."""
        now = self._now
        while now is not None and now.name < name:
            now = next(self._lines, None)
        self._now = now
        return now if now is not None and now.name == name else None
