"""Many hands for many small works: what fails is kept, what makes all of it vain ends it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from errno import EDQUOT, ENOSPC, EROFS
from typing import Generic, TypeVar

from roost.sync.failures import StoreError
from roost.sync.run import ChangedError, DamagedError, StoppedError

T = TypeVar("T")
EXPECTED = (OSError, StoreError, DamagedError, ChangedError)
PATIENCE = 15
"""Seconds that are waited for hands to put down what they hold, when the sync shall end."""


@dataclass(slots=True)
class Hands(Generic[T]):
    """Threads that take items from one pile until it, or the will to go on, ends."""

    work: Callable[[T], None]
    stop: threading.Event
    failed: list[tuple[T, Exception]] = field(default_factory=list)
    vain: list[BaseException] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def all(self, items: Iterable[T], count: int) -> list[tuple[T, Exception]]:
        """Work on all items; those that failed, and why. Raises what makes the others vain."""
        pile = iter(items)
        hands = [
            threading.Thread(target=self._hand, args=(pile,), daemon=True) for _ in range(count)
        ]
        for one in hands:
            one.start()
        try:
            for one in hands:
                while one.is_alive():
                    one.join(0.5)
        except KeyboardInterrupt:
            self.stop.set()
            for one in hands:
                one.join(PATIENCE)
            raise
        if self.vain:
            raise self.vain[0]
        return self.failed

    def _hand(self, pile: Iterator[T]) -> None:
        while not self.stop.is_set() and not self.vain:
            with self.lock:
                item = next(pile, self)
            if isinstance(item, Hands):
                return
            try:
                self.work(item)
            except StoppedError:
                return
            except EXPECTED as error:
                self.failed.append((item, error))
                if _is_vain(error):
                    self.vain.append(error)
            except BaseException as error:  # a fault of ours; the others shall stop
                self.vain.append(error)


def _is_vain(error: Exception) -> bool:
    if isinstance(error, StoreError):
        return error.hopeless and not error.gone and error.status != 405
    return isinstance(error, OSError) and error.errno in {ENOSPC, EDQUOT, EROFS}


def why(error: Exception) -> str:
    """What to say of something that failed."""
    if isinstance(error, StoreError):
        return f"{error.code}{': ' if error.text else ''}{error.text}"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
