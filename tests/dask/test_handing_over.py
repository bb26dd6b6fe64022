"""Workers that go hand over; those that may go have their results copied; and who is at work."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from distributed import Client, Scheduler, Worker, wait

from roost.home import Folder
from roost.notebook.dask import activity, replicate, retire, worker, worker_ready
from roost.notebook.dask.scheduler import arguments

NAMES = ("worker-1", "worker-2", "worker-3")
OPTIONS = {"nthreads": 1, "memory_limit": "4 GiB", "host": "127.0.0.1"}


@asynccontextmanager
async def cluster() -> AsyncIterator[tuple[Scheduler, Client]]:
    """A scheduler and three workers, in this process."""
    async with (
        Scheduler(host="127.0.0.1", port=0, dashboard=False) as scheduler,
        Worker(scheduler.address, name=NAMES[0], **OPTIONS),
        Worker(scheduler.address, name=NAMES[1], **OPTIONS),
        Worker(scheduler.address, name=NAMES[2], **OPTIONS),
        Client(scheduler.address, asynchronous=True) as client,
    ):
        yield scheduler, client


def holders(scheduler: Scheduler) -> dict[str, int]:
    """How many results each worker holds, by name."""
    return {str(w.name): len(w.has_what) for w in scheduler.workers.values()}


async def results(client: Client, on: str) -> list[object]:
    """Four results of 8 bytes that one worker holds."""
    made = client.map(float, range(4), workers=[on], pure=False)
    await wait(made)
    return list(made)


def test_who_retires_hands_over_and_notes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "retired"
    monkeypatch.setenv(retire.MARK_VARIABLE, str(mark))

    async def scene() -> None:
        async with cluster() as (scheduler, client):
            made = await results(client, "worker-2")
            gone = await retire.retire(scheduler.address, ["worker-2", "worker-9"])
            assert gone == ["worker-2"]
            assert set(holders(scheduler)) == {"worker-1", "worker-3"}
            assert await client.gather(made) == [0, 1, 2, 3]
            assert await retire.retire(scheduler.address, ["worker-2"]) == []

    assert not retire.still_retired()
    asyncio.run(scene())
    assert mark.exists()
    assert retire.still_retired()
    long_ago = time.time() - retire.AWAY - 1
    os.utime(mark, (long_ago, long_ago))
    assert not retire.still_retired()


def test_without_a_place_for_it_nothing_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(retire.MARK_VARIABLE, raising=False)
    retire.stay_away()
    assert not retire.still_retired()


def test_what_only_one_holds_is_copied_once() -> None:
    async def scene() -> None:
        async with cluster() as (scheduler, client):
            made = await results(client, "worker-1")
            assert holders(scheduler) == {"worker-1": 4, "worker-2": 0, "worker-3": 0}
            assert await replicate.spread(scheduler.address, ["worker-1"]) == 4
            found = holders(scheduler)
            assert found["worker-1"] == 4
            assert found["worker-2"] + found["worker-3"] == 4
            assert await replicate.spread(scheduler.address, ["worker-1"]) == 0
            assert await replicate.spread(scheduler.address, ["worker-9"]) == 0
            assert holders(scheduler) == found
            assert await client.gather(made) == [0, 1, 2, 3]

    asyncio.run(scene())


def test_nothing_is_copied_to_where_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicate, "FULL", 0.0)

    async def scene() -> None:
        async with cluster() as (scheduler, client):
            made = await results(client, "worker-1")
            assert await replicate.spread(scheduler.address, ["worker-1"]) == 0
            assert holders(scheduler) == {"worker-1": 4, "worker-2": 0, "worker-3": 0}
            assert await replicate.spread(scheduler.address, list(NAMES)) == 0
            del made

    asyncio.run(scene())


def test_room() -> None:
    def one(limit: float, used: float) -> dict[str, object]:
        return {"memory_limit": limit, "metrics": {"memory": used}}

    assert replicate.room({}) == 0
    assert replicate.room({"a": one(100, 10), "b": one(100, 90), "c": one(0, 5)}) == 50


def test_the_file_is_touched_while_a_worker_has_tasks(tmp_path: Path) -> None:
    file = tmp_path / "working"
    idle, busy = SimpleNamespace(processing={}), SimpleNamespace(processing={"a task": 1.0})
    activity.look(SimpleNamespace(workers={"1": idle}), file)
    activity.look(SimpleNamespace(workers={}), file)
    assert not file.exists()
    activity.look(SimpleNamespace(workers={"1": idle, "2": busy}), file)
    assert file.exists()


def test_a_worker_says_once_it_has_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "joined"
    later: list[tuple[object, ...]] = []
    starting = SimpleNamespace(
        status=SimpleNamespace(name="init"),
        loop=SimpleNamespace(call_later=lambda *words: later.append(words)),
    )
    monkeypatch.delenv(worker_ready.JOINED_VARIABLE, raising=False)
    worker_ready.dask_setup(starting)
    worker_ready.forget()
    assert later == []
    monkeypatch.setenv(worker_ready.JOINED_VARIABLE, str(file))
    worker_ready.dask_setup(starting)
    assert later == [(worker_ready.EVERY, worker_ready.look, starting, file)]
    assert not file.exists()
    starting.status.name = "running"
    worker_ready.look(starting, file)
    assert file.exists()
    worker_ready.forget()
    assert not file.exists()


# --- words ---------------------------------------------------------------------------------------


def test_a_scheduler_at_home_and_on_a_rented_machine(tmp_path: Path) -> None:
    place = Folder(tmp_path)
    home = arguments(place)
    assert home[home.index("--host") + 1] == "127.0.0.1"
    assert int(home[home.index("--port") + 1]) > 1023
    rented = arguments(place, "10.0.0.5", 8786)
    assert rented[rented.index("--host") + 1] == "10.0.0.5"
    assert rented[rented.index("--port") + 1] == "8786"
    for words in (home, rented):
        assert words[words.index("--protocol") + 1] == "tls"
        assert words[words.index("--dashboard-address") + 1].startswith("127.0.0.1:")


def test_a_worker_takes_all_that_its_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    import dask.system
    import distributed.system

    monkeypatch.setattr(dask.system, "CPU_COUNT", 12)
    monkeypatch.setattr(distributed.system, "MEMORY_LIMIT", 16 * 2**30)
    said = {"name": "worker-1", "local_directory": "/s", "host": "10.0.0.6", "processes": "1"}
    said |= {"resources": None, "nanny": True, "worker_class": None}
    own = SimpleNamespace(nthreads=None, memory_limit=None, **said)
    words = worker.arguments("tls://10.0.0.5:8786", own)  # type: ignore[arg-type]
    assert words[words.index("--nthreads") + 1] == "12"
    assert int(words[words.index("--memory-limit") + 1]) == int(16 * 2**30 * 0.95) - 300 * 2**20
    assert words[words.index("--host") + 1] == "10.0.0.6"
    told = SimpleNamespace(nthreads=3, memory_limit="1000", **said)
    words = worker.arguments("tls://10.0.0.5:8786", told)  # type: ignore[arg-type]
    assert words[words.index("--nthreads") + 1] == "3"
    assert words[words.index("--memory-limit") + 1] == "1000"


def test_a_small_machine_still_gives_half(monkeypatch: pytest.MonkeyPatch) -> None:
    import distributed.system

    monkeypatch.setattr(distributed.system, "MEMORY_LIMIT", 512 * 2**20)
    assert worker.memory() == 256 * 2**20
