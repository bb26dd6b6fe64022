"""A pool of threads for many small items: failures are kept, a fatal one ends all."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from errno import EDQUOT, ENOSPC, EROFS
from typing import Generic, NamedTuple, Protocol, TypeVar

from roost.transfer.context import ChangedError, DamagedError, StoppedError
from roost.transfer.s3.failures import StoreError
from roost.transfer.s3.reply import Reply

T = TypeVar("T")
EXPECTED = (OSError, StoreError, DamagedError, ChangedError)
ALL_REFUSED = 20
"""Refused items after which no other is tried, if none has succeeded."""
PATIENCE = 15
"""Seconds to wait for threads to finish their items after an interrupt."""


class Answer(Protocol):
    """An answer that comes later."""

    def result(self) -> Reply:
        """Wait for it. Raises StoreError."""


class Begun(NamedTuple):
    """A request on its way, and what to do with its answer."""

    answer: Answer
    finish: Callable[[Reply], None]


@dataclass(slots=True)
class Pool(Generic[T]):
    """Threads that take items from one iterator until it ends, or they are stopped.

    What ``begin`` can begin, a thread has several of on their way: threads that wait for one
    answer each would spend more time on taking turns than on the work. ``work`` does all of an
    item, with retries; also if what was begun has failed.
    """

    work: Callable[[T], None]
    stop: threading.Event
    begin: Callable[[T], Begun | None] = lambda item: None
    depth: int = 1
    failed: list[tuple[T, Exception]] = field(default_factory=list)
    fatal: list[BaseException] = field(default_factory=list)
    refused: int = 0
    succeeded: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def all(self, items: Iterable[T], count: int) -> list[tuple[T, Exception]]:
        """Work on all items; return those that failed, and why. Raises a fatal error."""
        waiting = iter(items)
        threads = [
            threading.Thread(target=self._take, args=(waiting,), daemon=True) for _ in range(count)
        ]
        for one in threads:
            one.start()
        try:
            for one in threads:
                while one.is_alive():
                    one.join(0.5)
        except KeyboardInterrupt:
            self.stop.set()
            for one in threads:
                one.join(PATIENCE)
            raise
        if self.fatal:
            raise self.fatal[0]
        return self.failed

    def _take(self, waiting: Iterator[T]) -> None:
        window: deque[tuple[T, Begun | None]] = deque()
        while not self.stop.is_set() and not self.fatal:
            self._fill(window, waiting)
            if not window:
                return
            item, begun = window.popleft()
            self._end(item, begun)

    def _fill(self, window: deque[tuple[T, Begun | None]], waiting: Iterator[T]) -> None:
        while len(window) < self.depth and (taken := self._next(waiting)) is not None:
            window.append((taken[0], self._begun(taken[0])))
            if window[-1][1] is None:
                return  # a large one: another thread, and not this one after it, takes the next

    def _next(self, waiting: Iterator[T]) -> tuple[T] | None:
        with self.lock:
            for item in waiting:
                return (item,)
        return None

    def _begun(self, item: T) -> Begun | None:
        try:
            return self.begin(item)
        except EXPECTED:
            return None  # ``work`` tries it again, and says what is wrong

    def _end(self, item: T, begun: Begun | None) -> None:
        try:
            if not _ended(begun):
                self.work(item)
            self.succeeded = True
        except StoppedError:
            return
        except EXPECTED as error:
            self.failed.append((item, error))
            if self._is_fatal(error):
                self.fatal.append(error)
        except BaseException as error:  # a bug in roost; the other threads stop
            self.fatal.append(error)

    def _is_fatal(self, error: Exception) -> bool:
        """Tell if an error is about all items, and not about its own."""
        if isinstance(error, StoreError):
            self.refused += error.refused
            return error.fatal or (self.refused >= ALL_REFUSED and not self.succeeded)
        return isinstance(error, OSError) and error.errno in {ENOSPC, EDQUOT, EROFS}


def _ended(begun: Begun | None) -> bool:
    """Tell if what was begun succeeded."""
    if begun is None:
        return False
    try:
        begun.finish(begun.answer.result())
    except EXPECTED:
        return False
    return True


def why(error: Exception) -> str:
    """Return the reason of a failure for people."""
    if isinstance(error, StoreError):
        return error.reason
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
