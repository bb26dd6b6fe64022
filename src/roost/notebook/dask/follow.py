"""Follow the work: the scheduler asks roost for workers while tasks wait, and lets idle ones go.

Loaded into the scheduler as a Dask preload. How many workers the work needs is Dask's own estimate;
which range the number stays in, and who said so, is in a file beside the name that only roost
writes. So there is one owner of the number: `roost scale`, the sidebar and ``RoostCluster`` change
that file, and all of it goes on when the notebook that asked for it is closed.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from roost.home import Folder
from roost.notebook.dask.control import command, own_environment
from roost.notebook.dask.membership import node_of
from roost.notebook.dask.ranges import MOST, THE_WORK, TICK, read_range

FOLDER_VARIABLE = "ROOST_FOLDER"
GREETING = 15.0
"""Seconds for which a new client has a worker at least."""
PAUSE = 15.0
"""Seconds without another try after roost refused."""
SLOW_TICK, SLOW_GREETING = 1.0, 120.0
"""The same where somebody on another computer acts on it, who looks a few times a minute."""
SLOW_TARGET = 30.0
"""Seconds in which rented workers should have done the work: a machine needs minutes to come."""
AWAY = 600.0
"""Seconds after which a worker that was to go, and did not, gets tasks again."""

logger = logging.getLogger("distributed.scheduler")


def dask_setup(scheduler: Any) -> None:
    """Set up the scheduler (called by Dask)."""
    from tornado.ioloop import PeriodicCallback

    place = Folder(Path(os.environ[FOLDER_VARIABLE]))
    try:
        rents = not command(place)
    except (OSError, ValueError):  # a scheduler of nobody's name
        return
    follower = Answerer(scheduler, place) if rents else Follower(scheduler, place)
    looking = PeriodicCallback(follower.look, (SLOW_TICK if rents else TICK) * 1000)
    # Those that it has itself are stopped when it ends.
    scheduler.periodic_callbacks["roost-follow"] = looking
    looking.start()


class Follower:
    """What the scheduler remembers between two looks."""

    welcome = GREETING

    def __init__(self, scheduler: Any, place: Folder) -> None:
        self.scheduler = scheduler
        self.place = place
        self.next_look = 0.0
        self.quiet = 0
        self.known: set[str] = set()
        self.greeted = -self.welcome

    async def look(self) -> None:
        """Compare the workers that are there with what the work needs; change one way at most."""
        wish = read_range(self.place)
        if wish is None or time.monotonic() < self.next_look:
            return
        self.next_look = time.monotonic() + wish.every
        there = self.there()
        needed = self.scheduler.adaptive_target(target_duration=wish.target)
        target = wish.hold(max(needed, self.greeting()))
        more = target - len(there)
        self.quiet = self.quiet + 1 if more < 0 else 0
        if more > 0:
            await self.change(target, [])
        elif self.quiet >= wish.quiet and (going := self.idle(there, -more)):
            self.quiet = 0
            await self.change(len(there) - len(going), going)

    def greeting(self) -> int:
        """Return 1 while a client is new, else 0: many wait for a worker before they send work."""
        clients = set(self.scheduler.clients) - {"fire-and-forget"}
        if clients - self.known:
            self.greeted = time.monotonic()
        self.known = clients
        return int(time.monotonic() - self.greeted < self.welcome)

    def there(self) -> set[str]:
        """Return the names of the workers that roost has, joined or not."""
        with suppress(OSError):
            found = [p for p in self.place.machines.iterdir() if p.name.startswith("worker-")]
            return {p.name for p in found if not (p / "stopped").exists()}
        return set()

    def idle(self, there: set[str], count: int) -> list[Any]:
        """Return up to ``count`` workers that have no task, those with the least data first."""
        workers = [w for w in self.scheduler.workers.values() if str(w.name) in there]
        free = [w for w in workers if not w.processing and w.status.name == "running"]
        return sorted(free, key=lambda w: (w.nbytes, str(w.name)))[:count]

    async def change(self, count: int, going: list[Any]) -> None:
        """Let roost change the number. Whoever goes gets no task from this moment on."""
        self.tell(going, "closing_gracefully")
        drop = [word for worker in going for word in ("--drop", str(worker.name))]
        words = [*command(self.place), "scale", self.place.name, str(count), *drop]
        words += ["--asked-by", THE_WORK]
        process = await asyncio.create_subprocess_exec(
            *words,
            env=own_environment(self.place),
            cwd=self.place.path,  # a project's random.py is none of roost's
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
        if process.returncode != 0:
            self.tell(going, "running")
            self.next_look = time.monotonic() + PAUSE
            text = said.decode(errors="replace").strip()
            logger.warning("the number of workers stays as it is: %s", text)

    def tell(self, workers: list[Any], status: str) -> None:
        """Set the status of workers here at once, and with themselves."""
        stimulus = f"roost-follow-{time.time()}"
        for worker in workers:
            if self.scheduler.workers.get(worker.address) is not worker:
                continue  # gone, or come back as another
            self.scheduler.handle_worker_status_change(status, worker, stimulus)
            note = {"op": "worker-status-change", "status": status, "stimulus_id": stimulus}
            self.scheduler.stream_comms[worker.address].send(note)


class Answerer(Follower):
    """The same on rented machines, where a roost on another computer asks and acts (``work``)."""

    welcome = SLOW_GREETING

    def __init__(self, scheduler: Any, place: Folder) -> None:
        super().__init__(scheduler, place)
        self.free: dict[str, float] = {}
        self.closing: list[Any] = []
        scheduler.handlers |= {"roost_work": self.work, "roost_close": self.close}

    async def look(self) -> None:
        """Note since when each machine has had no task."""
        self.greeting()
        now = time.monotonic()
        self.free = {node: self.free.get(node, now) for node in self.nodes(free=True)}

    def nodes(self, *, free: bool = False) -> dict[str, list[Any]]:
        """Return the machines that have joined, with their workers; or those without a task."""
        found: dict[str, list[Any]] = {}
        for worker in self.scheduler.workers.values():
            found.setdefault(node_of(str(worker.name)), []).append(worker)
        idle = set(self.idle({str(w.name) for w in self.scheduler.workers.values()}, MOST))
        return {n: w for n, w in found.items() if not free or idle.issuperset(w)}

    async def work(self, cpus: int) -> dict[str, Any]:
        """Return how many machines the work needs, and which have none; who was to go stays.

        Without any worker Dask counts in threads: then a machine has one for each of its ``cpus``.
        """
        self.stay()
        await self.look()
        there = self.nodes()
        workers = len(self.scheduler.workers)
        each = workers / len(there) if there else max(1, cpus)
        needed = math.ceil(self.scheduler.adaptive_target(target_duration=SLOW_TARGET) / each)
        now = time.monotonic()
        return {
            "needed": max(needed, self.greeting()),
            "known": sorted(there),
            "free": {node: now - since for node, since in self.free.items()},
        }

    async def close(self, names: list[str]) -> list[str]:
        """Give no more tasks to those of these machines that have none, and return them.

        One stays while somebody holds results and no other worker could take them.
        """
        free = self.nodes(free=True)
        going = sorted((n for n in names if n in free), key=lambda n: _held(free[n]))
        left = self.scheduler.running.difference(*(free[n] for n in going))
        if not left and any(_held(free[n]) for n in going):
            going.pop()  # that with the most data
        self.closing = [worker for node in going for worker in free[node]]
        self.tell(self.closing, "closing_gracefully")
        self.scheduler.loop.call_later(AWAY, self.stay)
        return going

    def stay(self) -> None:
        """Give tasks again to those that were to go and are still there."""
        self.tell(self.closing, "running")
        self.closing = []


def _held(workers: list[Any]) -> int:
    return sum(worker.nbytes for worker in workers)
