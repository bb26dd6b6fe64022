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
from typing import IO, NamedTuple

from roost.errors import BusyError
from roost.home import home
from roost.transfer.deletion import remove_own
from roost.transfer.listing import Entry

_LIMIT = 2**63
"""Numbers of the database are smaller."""


class Known(NamedTuple):
    """One line of the cache."""

    name: str
    tag: str
    size: int
    mtime_ns: int


class Cache:
    """The cache of one pair of sides, held by one process at a time."""

    def __init__(self, folder: Path, place: str, where: str) -> None:
        sides = f"{folder.resolve()}\0{place}\0{where}".encode("utf-8", "surrogateescape")
        known = sha256(sides).hexdigest()[:24]
        self.trouble = ""
        self._new: list[Known] = []
        self._lock: IO[str] | None = None
        try:
            base = home() / "sync"
            base.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = (base / f"{known}.lock").open("w")
            self._hold(f"another roost copies between {folder} and {place}")
            self._db = self._kept(base, known)
        except (OSError, sqlite3.Error) as error:  # a full disk, or one that is read only
            self._without(error)
            self._db = self._open(":memory:")

    def _hold(self, busy: str) -> None:
        try:
            flock(self._lock or -1, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            if self._lock is not None:
                self._lock.close()
            raise BusyError(busy) from None

    def _kept(self, base: Path, known: str) -> sqlite3.Connection:
        path = base / f"{known}.sqlite"
        try:
            return self._open(path)
        except sqlite3.DatabaseError:  # a damaged cache is made again
            remove_own(base.glob(f"{known}.sqlite*"))
            return self._open(path)

    def _without(self, error: Exception) -> None:
        """Note that nothing can be remembered."""
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        self.trouble = (
            f"the cache in {home()} cannot be written ({why}): the next sync asks S3 for the time"
            " of each file again"
        )

    def _open(self, path: Path | str) -> sqlite3.Connection:
        made = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
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
            "CREATE TEMP TABLE sorted (name BLOB, size INT, mtime_ns INT, tag TEXT, class TEXT)"
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
        if self._lock is not None:
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
        rows = (known for known in new if _storable(known))
        self._write("REPLACE INTO known VALUES (?, ?, ?, ?)", rows)

    def _write(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Write all of it or nothing: a cache may be lost at any time."""
        try:
            self._db.execute("BEGIN")
            self._db.executemany(statement, rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._without(error)
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")

    def forget(self, names: Iterable[str]) -> None:
        """Remove the lines of deleted names."""
        rows = ((name,) for name in names if _encodable(name))
        self._write("DELETE FROM known WHERE name = ?", rows)

    def sort(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Yield the lines in order of names, however many: by the disk, not in memory."""
        self._db.execute("DELETE FROM sorted")
        rows = (
            (
                one.name.encode("utf-8", "surrogatepass"),
                one.size,
                max(-_LIMIT, min(one.mtime_ns, _LIMIT - 1)),
                one.tag,
                one.storage,
            )
            for one in entries
        )
        self._db.execute("BEGIN")
        self._db.executemany("INSERT INTO sorted VALUES (?, ?, ?, ?, ?)", rows)
        self._db.execute("COMMIT")
        for row in self._db.execute("SELECT * FROM sorted ORDER BY name"):
            coded, size, mtime_ns, tag, storage = row
            name = coded.decode("utf-8", "surrogatepass")
            yield Entry(name, size, mtime_ns, tag, name.endswith("/"), storage)

    # --- multipart uploads that are ours -----------------------------------------------------

    def begins(self, key: str) -> float:
        """Remember that a multipart upload is asked for, as the answer may be lost; return when."""
        now = time.time()
        with suppress(sqlite3.Error):
            self._db.execute("INSERT INTO begins VALUES (?, ?)", (key, now))
        return now

    def began(self, key: str, upload: str, size: int, mtime_ns: int, asked: float = 0) -> None:
        """Remember a multipart upload that begins, to end it later, and was ``asked`` for then."""
        row = (key, upload, size, mtime_ns)
        with suppress(sqlite3.Error, OverflowError):
            self._db.execute("REPLACE INTO uploads VALUES (?, ?, ?, ?)", row)
            self._db.execute("DELETE FROM begins WHERE key = ? AND at = ?", (key, asked))

    def lost(self) -> list[tuple[str, float]]:
        """Return the keys of uploads that were asked for without an answer, and when."""
        return list(self._db.execute("SELECT key, at FROM begins"))

    def forget_lost(self, before: float) -> None:
        """Forget the uploads without an answer that were asked for before then: they have ended."""
        self._db.execute("DELETE FROM begins WHERE at < ?", (before,))

    def ended(self, upload: str) -> None:
        """Forget an upload that has ended."""
        with suppress(sqlite3.Error):
            self._db.execute("DELETE FROM uploads WHERE id = ?", (upload,))

    def unended(self) -> list[tuple[str, str, int, int]]:
        """Return key, id, and the file's size and time, of all that began and did not end."""
        return list(self._db.execute("SELECT key, id, size, mtime_ns FROM uploads"))


def _storable(known: Known) -> bool:
    """Tell if a line can be in the database: no time after 2262, no name that is not UTF-8."""
    return -_LIMIT <= known.mtime_ns < _LIMIT and _encodable(known.name)


def _encodable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


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
