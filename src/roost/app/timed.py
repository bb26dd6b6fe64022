"""A Reporter that passes all on to another one, and keeps how long each part took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.provision.machines import News
    from roost.reconcile.loop import Progress
    from roost.session import Reporter
    from roost.transfer.job import Outcome, Transfer
    from roost.transfer.job import Progress as Transferred

MOST_WORDS = 200
"""Characters that are kept of what a machine says about itself."""


@dataclass(frozen=True, slots=True)
class Timing:
    """One part of the work of one machine, and the seconds that it took."""

    node: str
    text: str
    seconds: float


@dataclass(slots=True)
class Timed:
    """The Reporter. ``machines_s`` is how long the cloud took to make machines, ``set_up_s`` how
    long they took to set themselves up, and ``timings`` has each part of that.
    """

    reporter: Reporter
    machines_s: float = 0.0
    set_up_s: float = 0.0
    timings: list[Timing] = field(default_factory=list)
    _now: dict[str, tuple[str, float]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def say(self, text: str) -> None:
        """Tell one line."""
        self.reporter.say(text)

    def warn(self, text: str) -> None:
        """Report one line."""
        self.reporter.warn(text)

    @contextmanager
    def steps(
        self, title: str, total: int, done: Callable[[State], int]
    ) -> Iterator[Callable[[Progress], None]]:
        """Show a reconcile loop."""
        begun = time.monotonic()
        try:
            with self.reporter.steps(title, total, done) as watch:
                yield watch
        finally:
            self.machines_s += time.monotonic() - begun

    @contextmanager
    def machines(self, title: str, total: int) -> Iterator[Callable[[News], None]]:
        """Show how far machines are with their set-up."""
        begun = time.monotonic()
        try:
            with self.reporter.machines(title, total) as watch:

                def hear(news: News) -> None:
                    self._turn(news.node, news.text)
                    watch(news)

                yield hear
        finally:
            for node in tuple(self._now):
                self._turn(node, "")
            self.set_up_s += time.monotonic() - begun

    def _turn(self, node: str, text: str) -> None:
        """End the part that a machine was at, and begin the next one."""
        text, now = text[:MOST_WORDS], time.monotonic()
        with self._lock:
            before, since = self._now.get(node, ("", now))
            if text == before:
                return
            if before:
                self.timings.append(Timing(node, before, now - since))
            self._now[node] = (text, now)

    def transfers(self) -> AbstractContextManager[Callable[[str, str, Transferred], None]]:
        """Show copies of data."""
        return self.reporter.transfers()

    def transfer_plan(self, transfer: Transfer, plan: Outcome) -> None:
        """Show what one copy of data will do."""
        self.reporter.transfer_plan(transfer, plan)
