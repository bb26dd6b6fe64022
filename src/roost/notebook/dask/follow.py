"""Follow the work: the scheduler asks roost for workers while tasks wait, and lets idle ones go.

Loaded into the scheduler as a Dask preload. How many workers the work needs is Dask's own estimate;
which range the number stays in, and who said so, is in a file beside the name that only roost
writes. So there is one owner of the number: `roost scale`, the sidebar and ``RoostCluster`` change
that file, and all of it goes on when the notebook that asked for it is closed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from roost.home import Folder, write_private
from roost.notebook.dask.control import command, own_environment

FOLDER_VARIABLE = "ROOST_FOLDER"
TICK = 0.2
"""Seconds between two looks at the file."""
BY_WORK = ("--asked-by", "the work")
GREETING = 15.0
"""Seconds for which a new client has a worker at least."""
PAUSE = 15.0
"""Seconds without another try after roost refused."""
LONGEST = 100
"""Characters of who said so."""
MOST = 10_000
"""Workers, of a range without an end of its own."""

logger = logging.getLogger("distributed.scheduler")


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The range of the number of workers, and who said so.

    ``every`` seconds the work is looked at; a worker goes after ``quiet`` looks that found too
    many. Fewer seconds in ``target`` mean more workers for the same work. The defaults are Dask's.
    """

    minimum: int
    maximum: int
    by: str
    every: float = 1.0
    quiet: int = 3
    target: float = 5.0

    def hold(self, count: int) -> int:
        """Return the number of the range that is nearest to ``count``."""
        return max(self.minimum, min(self.maximum, count))


def read_range(place: Folder) -> Range | None:
    """Return the range that the number follows the work in; None where it stays as it is."""
    try:
        found = Range(**json.loads(place.range.read_text()))
        numbers = (found.minimum, found.maximum, found.every, found.quiet, found.target)
        right = all(isinstance(one, int | float) for one in numbers)
        return found if right and 0 <= found.minimum <= found.maximum <= MOST else None
    except (OSError, ValueError, TypeError):
        return None


def range_of(minimum: int, maximum: int, by: str, pace: tuple[float, int, float]) -> Range:
    """Return the range with its pace: ``every``, ``quiet`` and ``target``, bounded."""
    every, quiet, target = pace
    return Range(
        minimum=minimum,
        maximum=maximum,
        by=by[:LONGEST],
        every=min(max(every, TICK), 3600.0),
        quiet=min(max(quiet, 1), MOST),
        target=min(max(target, 0.01), 86_400.0),
    )


def write_range(place: Folder, wish: Range | None) -> None:
    """Keep the range, or that there is none."""
    if wish is None:
        place.range.unlink(missing_ok=True)
    else:
        write_private(place.range, json.dumps(asdict(wish)))


def dask_setup(scheduler: Any) -> None:
    """Set up the scheduler (called by Dask)."""
    from tornado.ioloop import PeriodicCallback

    place = Folder(Path(os.environ[FOLDER_VARIABLE]))
    try:
        if not command(place):
            return
    except (OSError, ValueError):  # a scheduler of nobody's name
        return
    looking = PeriodicCallback(Follower(scheduler, place).look, TICK * 1000)
    # Those that it has itself are stopped when it ends.
    scheduler.periodic_callbacks["roost-follow"] = looking
    looking.start()


class Follower:
    """What the scheduler remembers between two looks."""

    def __init__(self, scheduler: Any, place: Folder) -> None:
        self.scheduler = scheduler
        self.place = place
        self.next_look = 0.0
        self.quiet = 0
        self.known: set[str] = set()
        self.greeted = -GREETING

    async def look(self) -> None:
        """Compare the workers that are there with what the work needs; change one way at most."""
        wish = read_range(self.place)
        if wish is None or time.monotonic() < self.next_look:
            return
        self.next_look = time.monotonic() + wish.every
        there = self.there()
        needed = self.scheduler.adaptive_target(target_duration=wish.target)
        target = wish.hold(max(needed, self.greeting()))
        if target > len(there):
            self.quiet = 0
            await self.change(target, [])
        elif target == len(there):
            self.quiet = 0
        else:
            self.quiet += 1
            going = self.idle(there, len(there) - target) if self.quiet >= wish.quiet else []
            if going:
                self.quiet = 0
                await self.change(len(there) - len(going), going)

    def greeting(self) -> int:
        """Return 1 while a client is new, else 0: many wait for a worker before they send work."""
        clients = set(self.scheduler.clients) - {"fire-and-forget"}
        if clients - self.known:
            self.greeted = time.monotonic()
        self.known = clients
        return int(time.monotonic() - self.greeted < GREETING)

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
        words = [*command(self.place), "scale", self.place.name, str(count), *BY_WORK, *drop]
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
