"""What the scheduler of rented machines tells who follows it: machines, not processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("distributed")

from roost.home import Folder
from roost.notebook.dask import follow
from roost.notebook.dask.follow import Answerer


class Scheduler:
    """As much of Dask's as is asked; ``wants`` is its own estimate."""

    def __init__(self) -> None:
        self.workers: dict[str, Any] = {}
        self.clients: dict[str, Any] = {}
        self.handlers: dict[str, Any] = {}
        self.wants = 0
        self.later: list[Callable[[], None]] = []
        self.loop = SimpleNamespace(call_later=lambda _, do: self.later.append(do))
        self.stream_comms: dict[str, Any] = {}

    @property
    def running(self) -> set[Any]:
        return {w for w in self.workers.values() if w.status.name == "running"}

    def adaptive_target(self, target_duration: float) -> int:
        assert target_duration == 30
        return self.wants

    def handle_worker_status_change(self, status: str, worker: Any, _: str) -> None:
        worker.status = SimpleNamespace(name=status)

    def add(self, name: str, nbytes: int = 0) -> Any:
        class Worker(SimpleNamespace):
            __hash__ = object.__hash__  # type: ignore[assignment]

        up = SimpleNamespace(name="running")
        made = Worker(name=name, address=name, processing={}, status=up, nbytes=nbytes)
        self.workers[name] = made
        self.stream_comms[name] = SimpleNamespace(send=lambda _: None)
        return made


def test_it_counts_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(follow.time, "monotonic", lambda: clock.now)
    scheduler = Scheduler()
    asked = Answerer(scheduler, Folder(tmp_path))
    ask, close = scheduler.handlers["roost_work"], scheduler.handlers["roost_close"]
    scheduler.wants = 5
    assert asyncio.run(ask(cpus=4)) == {"needed": 2, "known": [], "free": {}}  # 5 threads
    scheduler.wants, scheduler.clients = 0, {"me": None}
    assert asyncio.run(ask(cpus=4))["needed"] == 1  # somebody has come
    clock.now += 200
    busy, free = scheduler.add("worker-1-0", 5), scheduler.add("worker-1-1", 7)
    other = scheduler.add("worker-2", 9)
    busy.processing = {"task": 1}
    scheduler.wants = 3
    asyncio.run(asked.look())
    clock.now += 60
    told = asyncio.run(ask(cpus=4))
    assert (told["needed"], told["known"]) == (2, ["worker-1", "worker-2"])  # 3 of 1.5 a machine
    assert told["free"] == {"worker-2": 60}

    assert asyncio.run(close(["worker-1", "worker-2", "worker-9"])) == ["worker-2"]
    assert (other.status.name, free.status.name) == ("closing_gracefully", "running")
    asyncio.run(ask(cpus=4))  # it is still there: so it works again
    assert other.status.name == "running"
    busy.processing = {}
    assert asyncio.run(close(["worker-1", "worker-2"])) == ["worker-2"]  # one holds the results
    scheduler.later[-1]()  # nobody came for it
    assert other.status.name == "running"
    for worker in scheduler.workers.values():
        worker.nbytes = 0
    assert asyncio.run(close(["worker-2", "worker-1"])) == ["worker-2", "worker-1"]
