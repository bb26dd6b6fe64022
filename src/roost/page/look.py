"""One look for all who look: the same answer for some seconds, and no look while nobody asks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")
MOST = 200
"""Looks that are kept; a name more, and the oldest goes."""


@dataclass(slots=True)
class _Kept(Generic[T]):
    lock: Lock
    value: T | None = None
    at: float | None = None


class Looks(Generic[T]):
    """Looks by key, each of which is asked once in ``seconds``, however many want it."""

    def __init__(
        self,
        look: Callable[[str], T],
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look, self._seconds, self._clock = look, seconds, clock
        self._kept: dict[str, _Kept[T]] = {}
        self._lock = Lock()

    def get(self, key: str = "") -> T:
        """Return what is there, at most ``seconds`` old. Who comes during a look waits for it."""
        with self._lock:
            kept = self._kept.setdefault(key, _Kept(Lock()))
            while len(self._kept) > MOST:
                del self._kept[next(iter(self._kept))]
        with kept.lock:
            if kept.value is None or kept.at is None or self._clock() - kept.at >= self._seconds:
                kept.value = self._look(key)
                kept.at = self._clock()
            return kept.value

    def forget(self) -> None:
        """Look anew at the next question: something was changed."""
        with self._lock:
            self._kept.clear()
