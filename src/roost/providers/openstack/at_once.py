"""One question to many sites side by side: one that is dead costs its own patience only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

from roost.errors import RoostError, UnreachableError
from roost.providers.openstack.session import Site

T = TypeVar("T")
MOST = 16
"""Sites that are asked at the same time."""
PATIENCE = 30.0
"""Seconds for a site that says nothing: it may take a connection, and each of its calls long."""


def at_once(
    sites: Iterable[Site], ask: Callable[[Site], T], patience: float = PATIENCE
) -> dict[Site, T | RoostError]:
    """Return each site's answer, or the error for which it has none. Other errors are raised.

    Daemon threads ask: one that hangs keeps no command from its end.
    """
    left: SimpleQueue[Site] = SimpleQueue()
    answers: SimpleQueue[tuple[Site, T | Exception]] = SimpleQueue()
    among = tuple(dict.fromkeys(sites))
    for site in among:
        left.put(site)

    def work() -> None:
        while True:
            try:
                site = left.get_nowait()
            except Empty:
                return
            try:
                answers.put((site, ask(site)))
            except Exception as error:
                answers.put((site, error))

    for _ in range(min(MOST, len(among))):
        Thread(target=work, daemon=True).start()
    found: dict[Site, T | RoostError] = {
        site: UnreachableError(f"{site} did not answer in {patience:g} s") for site in among
    }
    until = time.monotonic() + patience * -(-len(among) // MOST)
    for _ in among:
        try:
            site, answer = answers.get(timeout=max(until - time.monotonic(), 0))
        except Empty:
            break
        if isinstance(answer, Exception) and not isinstance(answer, RoostError):
            raise answer
        found[site] = answer
    return found
