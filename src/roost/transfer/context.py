"""The state that all transfers of one sync share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from roost.transfer.cache import Cache
from roost.transfer.local import Folder
from roost.transfer.s3.bucket import Bucket
from roost.transfer.s3.failures import StoreError

if TYPE_CHECKING:
    from roost.transfer.arrivals import Arrivals
    from roost.transfer.ranges import Ranges

T = TypeVar("T")
TRIES = 4
IN_FLIGHT = 8
"""Parts of large files at once, over all files: this bounds the memory."""


class DamagedError(Exception):
    """The content that arrived is not the content that was sent."""


class ChangedError(Exception):
    """A file changed while it was read."""


class StoppedError(Exception):
    """The sync was told to end; the next one continues."""


@dataclass(slots=True)
class Meter:
    """Counters of a sync; many threads add to them."""

    files: int = 0
    bytes: int = 0
    total_files: int = 0
    total_bytes: int = 0
    unproved: int = 0
    begun: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def moved(self, count: int) -> None:
        """Count bytes that arrived."""
        with self.lock:
            self.bytes += count

    def finished(self) -> None:
        """Count a file that arrived."""
        with self.lock:
            self.files += 1

    def unproven(self) -> None:
        """Count a file of which S3 has no checksum to compare."""
        with self.lock:
            self.unproved += 1


@dataclass(slots=True)
class Run:
    """One sync between a folder and a prefix.

    ``over``: the ETags of the objects that copies take the place of, as the plan saw them;
    ``conditional``: the service can be asked to overwrite nothing else.
    """

    bucket: Bucket
    prefix: str
    folder: Folder
    cache: Cache
    storage: str | None = None
    kms_key: str = ""
    verify: bool = False
    meter: Meter = field(default_factory=Meter)
    stop: threading.Event = field(default_factory=threading.Event)
    slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(IN_FLIGHT))
    arrivals: Arrivals | None = None
    over: dict[str, str] = field(default_factory=dict)
    conditional: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    _ranges: Ranges | None = None

    @property
    def ranges(self) -> Ranges:
        """The threads that fetch ranges of large objects."""
        with self.lock:
            if self._ranges is None:
                from roost.transfer.ranges import Ranges

                self._ranges = Ranges(self.bucket.client.wire)
            return self._ranges

    def close(self) -> None:
        """Close what was opened for the transfers."""
        if self._ranges is not None:
            self._ranges.close()
        self.bucket.client.close()
        self.folder.close()

    def condition(self, name: str) -> dict[str, str]:
        """Return the headers that let S3 overwrite only what the plan saw."""
        if not self.conditional:
            return {}
        tag = self.over.get(name)
        return {"if-match": f'"{tag}"'} if tag else {"if-none-match": "*"}

    def check(self) -> None:
        """Raise StoppedError where the sync shall end."""
        if self.stop.is_set():
            raise StoppedError

    def patiently(self, work: Callable[[], T]) -> T:
        """Try again what may succeed the next time. Raises what the last try raised."""
        for tried in range(1, TRIES + 1):
            self.check()
            try:
                return work()
            except (StoreError, DamagedError, ChangedError) as error:
                if tried == TRIES or (isinstance(error, StoreError) and error.hopeless):
                    raise
                self.stop.wait(0.1 * 4**tried if isinstance(error, ChangedError) else 0.2 * tried)
        raise AssertionError
