"""Large objects over plain sockets: parallel ranges, written where they belong as they arrive."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import local
from time import sleep

from roost.transfer import checksums
from roost.transfer.s3.failures import StoreError
from roost.transfer.s3.wire import NEVER, Wire, WireError

RANGE = 4 * 2**20
AT_ONCE = 16
"""Ranges on their way, over all objects: each has a connection and a buffer."""
AHEAD = 8
"""Ranges of one object on their way. All before these are in the file."""
BUFFER = 2**18
TRIES = 6
Write = Callable[[memoryview, int], None]
"""A function that takes bytes and their offset; many threads call it."""


@dataclass(slots=True)
class Ranges:
    """The threads that fetch ranges, shared by all objects of a sync."""

    wire: Wire
    threads: int = AT_ONCE
    _pool: ThreadPoolExecutor = field(init=False)
    _own: local = field(default_factory=local)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.threads, "range")

    def close(self) -> None:
        """End the threads, once what they do is done."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def fetch(
        self, key: str, headers: Mapping[str, str], span: tuple[int, int], write: Write, crc: int
    ) -> int:
        """Fetch the bytes from ``span[0]`` to ``span[1]``; return the CRC64 of all up to there.

        ``crc`` is that of what is before them. Raises StoreError, and what ``write`` raises.
        """
        start, end = span
        window: deque[tuple[Future[int], int]] = deque()
        try:
            for at in range(start, end, RANGE):
                size = min(RANGE, end - at)
                window.append((self._pool.submit(self._one, key, headers, (at, size), write), size))
                if len(window) >= AHEAD:
                    crc = _joined(crc, window.popleft())
            while window:
                crc = _joined(crc, window.popleft())
            return crc
        finally:  # after this the file is closed
            for future, _ in window:
                future.cancel()
            wait([future for future, _ in window])

    def whole(self, key: str, headers: Mapping[str, str], size: int, write: Write) -> int:
        """Fetch all of an object in one answer, from a service that gives no ranges.

        Return its CRC64. Raises StoreError, and what ``write`` raises.
        """
        at, crc = 0, 0
        for data in self._arriving(key, headers, 0, size, ranged=False):
            write(data, at)
            at, crc = at + len(data), checksums.crc64(data, crc)
        return crc

    def _one(
        self, key: str, headers: Mapping[str, str], span: tuple[int, int], write: Write
    ) -> int:
        """Fetch one range, and go on where it was cut short; return its CRC64."""
        at, left = span
        crc, tries = 0, 0
        while left:
            before = left
            try:
                for data in self._arriving(key, headers, at, left):
                    write(data, at)
                    crc = checksums.crc64(data, crc)
                    at, left = at + len(data), left - len(data)
            except StoreError as error:
                tries = 0 if left < before else tries + 1
                if tries >= TRIES or error.hopeless or error.code in NEVER:
                    raise
                sleep(min(0.1 * 2**tries, 5.0))
        return crc

    def _arriving(
        self,
        key: str,
        headers: Mapping[str, str],
        at: int,
        size: int,
        *,
        ranged: bool = True,
    ) -> Iterator[memoryview]:
        """Yield the bytes of a range as they arrive, all in the same memory. Raises StoreError."""
        buffer = self._buffer()
        span = {"range": f"bytes={at}-{at + size - 1}"} if ranged else {}
        answer = self.wire.get(key, {**headers, **span})
        status, told, lives = answer.head()
        if status != (206 if ranged else 200) or int(told["content-length"]) != size:
            answer.end(lives=False)
            raise WireError(key, "NoRange", "the service sent other bytes than the ones asked for")
        while size:
            data = buffer[: min(size, len(buffer))]
            answer.read(data)
            size -= len(data)
            if not size:
                answer.end(lives=lives)
            yield data

    def _buffer(self) -> memoryview:
        buffer: memoryview | None = getattr(self._own, "buffer", None)
        if buffer is None:
            buffer = self._own.buffer = memoryview(bytearray(BUFFER))
        return buffer


def _joined(crc: int, arrived: tuple[Future[int], int]) -> int:
    future, size = arrived
    return checksums.joined(crc, future.result(), size)
