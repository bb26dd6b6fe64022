"""How many workers the work needs now, and which may go. Pure.

The head tells what it has (``Work``). Workers are added at once, and only those go that have been
without work for a while: who goes is named, so nobody else does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from roost.model import nodes
from roost.model.limits import Limits
from roost.notebook.dask.ranges import MOST, Range

UNREADABLE = (
    *(ValueError, TypeError, LookupError, AttributeError, RecursionError),
    *(ArithmeticError, OSError),  # a clock beyond all years
)
LONGEST = 4_000_000
"""Characters of an answer; ten thousand workers have some 300,000."""
MOST_JOBS = 2_000
ELSEWHERE = ("JobHeld", "Dependency", "BeginTime", "JobArrayTaskLimit", "Licenses", "Reservation")
"""The beginnings of Slurm's reasons for which a job waits, and no machine would help."""
LEAST_USE = timedelta(minutes=15)
"""For so long a new worker must be able to run: it is set up for minutes, and warned for ten."""
NEVER = "BadConstraints"
"""Slurm's reason where it has given a job up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """Jobs of Slurm that are alike: ``count`` of them, each on ``nodes`` machines at least.

    ``cpus`` are those of one job in all, ``on_one`` the CPUs and ``memory_mib`` the memory that it
    wants of each machine. ``alone``: it shares its machines with nobody. ``reason`` is why they
    wait; "" where they run. ``first`` is the number of one of them.
    """

    count: int
    nodes: int
    cpus: int
    on_one: int = 1
    memory_mib: int = 0
    alone: bool = False
    reason: str = ""
    first: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the head has to do, as it says: ``needed`` workers (Dask), or ``jobs`` (Slurm).

    ``known`` are the workers that have joined, ``free`` those without work and for how many
    seconds, of which those that are ``down`` get none either. ``limits`` are what stops the head,
    and ``now`` is what its clock says; None: it does not say. ``follower``: somebody else follows,
    and is asked for nothing for ``lease`` seconds.
    """

    needed: int | None = None
    jobs: tuple[Jobs, ...] = ()
    known: frozenset[str] = frozenset()
    free: Mapping[str, float] = field(default_factory=dict)
    down: frozenset[str] = frozenset()
    limits: Limits | None = None
    now: datetime | None = None
    follower: str = ""
    lease: float = 0.0


@dataclass(frozen=True, slots=True)
class Machines:
    """What one worker is, as far as it is known (0: it is not)."""

    cpus: int
    memory_gib: float


@dataclass(frozen=True, slots=True)
class Room:
    """How many workers the end time and the budget leave room for, and why not for more.

    ``mend`` are words for `roost extend` that make more room.
    """

    most: int = MOST
    why: str = ""
    mend: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """The number of workers to have, and those that go for it.

    ``held``: the work wants more, and there is no room for them.
    """

    count: int
    drop: frozenset[str] = frozenset()
    held: bool = False


def room(limits: Limits, now: datetime, running: float, worker: float) -> Room:
    """Return the room for workers that cost ``worker`` an hour each, beside ``running`` for all
    else; 0.0: it is not known, and the head cannot count by it either.
    """
    if limits.end is not None and limits.end - now < LEAST_USE:
        return Room(0, f"its end time is {limits.end:%Y-%m-%d %H:%M %Z}", ("2h",))
    left = limits.budget_left_usd
    if left is None or worker <= 0:
        return Room()
    paid = (left * (timedelta(hours=1) / LEAST_USE) - running) / worker
    why = f"{limits.money(max(0.0, left))} of its budget is left"
    return Room(math.floor(min(max(0.0, paid), MOST)), why, ("--budget", "AMOUNT"))


def decide(
    wish: Range,
    there: frozenset[str],
    needed: int,
    idle: Mapping[str, float],
    space: Room = Room(),
    down: frozenset[str] = frozenset(),
) -> Decision:
    """Return how many workers there should be. ``idle`` are those that may go, and since when.

    More are wanted at once, if there is room; fewer only by those that may go, the longest idle
    first. What is ``down`` and may go does so first, whatever is needed: the next look sees who
    takes its place.
    """
    if dead := down & there & idle.keys():
        return Decision(len(there - dead), dead)
    target = wish.hold(needed)
    if target >= len(there):
        count = min(target, max(len(there), space.most))
        return Decision(count, held=count < target)
    may_go = sorted((n for n in idle if n in there), key=lambda n: (-idle[n], nodes.number_of(n)))
    going = frozenset(may_go[: len(there) - target])
    return Decision(len(there) - len(going), going)


def needed_for(work: Work, machine: Machines, most: int) -> int:
    """Return how many workers would do all of the work at once; of jobs, those that can run."""
    if work.needed is not None:
        return work.needed
    jobs = [j for j in work.jobs if not waits_elsewhere(j) and not why_never(j, machine, most)]
    cpus = max(1, machine.cpus)
    whole = sum(max(j.nodes, -(-j.cpus // cpus)) * j.count for j in jobs if _whole(j))
    small = sorted((min(j.cpus, cpus), j.count) for j in jobs if not _whole(j))
    return min(MOST, whole + _packed(small, cpus, most))


def _whole(job: Jobs) -> bool:
    """Tell whether a job has its machines for itself; one of several is counted as if it had."""
    return job.nodes > 1 or job.alone


def _packed(jobs: Sequence[tuple[int, int]], cpus: int, most: int) -> int:
    """Return how many machines hold these (CPUs, how many), the largest first; stop at ``most``."""
    free: list[int] = []
    for each, count in reversed(jobs):
        left = count
        for place, room in enumerate(free):
            fit = min(left, room // max(1, each))
            free[place] -= fit * max(1, each)
            left -= fit
        per_machine = cpus // max(1, each)
        while left > 0 and len(free) < most:
            fit = min(left, per_machine)
            free.append(cpus - fit * max(1, each))
            left -= fit
    return len(free)


def waits_elsewhere(job: Jobs) -> bool:
    """Tell whether a job waits for something that is no machine."""
    return job.reason.startswith(ELSEWHERE)


def why_never(job: Jobs, machine: Machines, most: int) -> str:
    """Return why a job cannot run on any number of these workers; "" where it can."""
    if not job.reason:
        return ""
    if job.reason.startswith(NEVER):
        return f"Slurm has given it up ({NEVER}): its machine could not be had"
    if job.nodes > most:
        return f"it wants {job.nodes} machines, and there are {most} at most"
    if 0 < machine.cpus < job.on_one:
        return f"it wants {job.on_one} CPUs of one machine, and a worker has {machine.cpus}"
    if 0 < machine.memory_gib * 1024 < job.memory_mib:
        return (
            f"it wants {job.memory_mib} MiB of memory, and a worker has {machine.memory_gib:g} GiB"
        )
    return ""


def never(work: Work, machine: Machines, most: int) -> Iterator[str]:
    """Yield a line for each kind of job that can never run."""
    for job in work.jobs:
        if why := why_never(job, machine, most):
            others = f" and {job.count - 1} others like it" if job.count > 1 else ""
            yield f"job {job.first}{others} can never run here: {why}"


# --- the head's answer ---------------------------------------------------------------------------


def read_work(text: str) -> Work | None:
    """Parse the head's answer, which is believed in nothing; None where it is none."""
    if len(text) > LONGEST:
        return None
    try:
        raw = json.loads(text)
        return _work(raw)
    except UNREADABLE:
        return None


def _work(raw: Any) -> Work:
    follower = raw.get("follower", "")
    if follower:
        lease = min(max(float(raw["seconds"]), 0.0), 86_400.0)
        return Work(follower=_plain(follower), lease=lease)
    needed, told, wall = raw.get("needed"), raw.get("limits"), raw.get("wall")
    free = {str(k): float(v) for k, v in raw["free"].items() if nodes.number_of(str(k))}
    return Work(
        needed=None if needed is None else min(_number(needed), MOST),
        jobs=tuple(_jobs(row) for row in raw.get("jobs", ())[:MOST_JOBS]),
        known=frozenset(str(one) for one in raw["known"]),
        free={k: v for k, v in free.items() if 0 <= v < float("inf")},
        down=frozenset(str(one) for one in raw.get("down", ())),
        limits=None if told is None else Limits.of(told),
        now=None if wall is None else datetime.fromtimestamp(float(wall), UTC),
    )


def _jobs(row: Any) -> Jobs:
    return Jobs(
        count=_number(row["count"]),
        nodes=max(1, _number(row["nodes"])),
        cpus=max(1, _number(row["cpus"])),
        on_one=_number(row["on_one"]),
        memory_mib=_number(row["memory_mib"]),
        alone=row["alone"] is True,
        reason=_plain(row["reason"]),
        first=_plain(row["first"]),
    )


def _number(found: Any) -> int:
    """Return a whole number of 0 to 2**40. Raises ValueError."""
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= 2**40:
        raise ValueError("not a whole number of 0 and above")
    return found


def _plain(found: Any) -> str:
    """Return a short text for a terminal, without what would move its cursor."""
    return "".join(c for c in str(found)[:200] if c.isprintable())
