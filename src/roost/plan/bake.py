"""An image of a machine, without anything personal: what to do next. Pure.

The machine itself is never cleaned. Its disk is copied while it is stopped (the *source*, private);
a *helper* started from the source erases on its own disk what is personal, says so, and switches
itself off; then the helper's disk becomes the image (*baked*). The source is the wish: as long as
it is there, the same command goes on with it; it is the last to go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from roost.model.resources import CopyState, InstanceState

HELPER_SECONDS = 15 * 60.0
"""A helper that has not switched itself off by then never will."""
WORD_SECONDS = 25 * 60.0
"""The console of a helper that is off is shown by then."""

Verb = Literal[
    "mark",  # write on the machine that it is to be started again
    "stop",
    "start",
    "unmark",
    "copy",  # the machine's disk: the source
    "guard",  # make the helper's firewall, through which nothing enters
    "launch",  # the helper, from the source
    "bake",  # the helper's disk: the image
    "terminate",  # the helper
    "unguard",
    "discard",  # images, with their snapshots
    "sweep",  # snapshots whose image is gone
]
WORDS: dict[Verb, str] = {
    "mark": "remember to start it again",
    "stop": "stop the machine",
    "start": "start the machine again",
    "unmark": "it runs again",
    "copy": "copy the machine's disk",
    "guard": "make a firewall that lets nothing in",
    "launch": "start a helper from the copy",
    "bake": "make the image of the cleaned copy",
    "terminate": "delete the helper",
    "unguard": "delete its firewall",
    "discard": "delete what is not needed any more",
    "sweep": "delete what is left of it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine of which an image is made; ``marked``: it is to be started again."""

    id: str
    state: InstanceState
    marked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """An image. ``origin`` is what it was made of: the source's machine, or a baked one's source.

    ``taken`` is in seconds since 1970.
    """

    id: str
    baked: bool
    state: CopyState
    origin: str
    taken: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Helper:
    """``verdict`` is its last word: ``"clean"``, ``"failed: why"``, or nothing yet.

    ``origin`` is the source that it was started from; ``started`` in seconds since 1970.
    """

    id: str
    state: InstanceState
    origin: str
    started: float
    verdict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that one look at an image's making saw; ``loose`` are snapshots without their image."""

    machine: Machine | None = None
    disks: tuple[Disk, ...] = ()
    helpers: tuple[Helper, ...] = ()
    guards: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[Disk, ...]:
        """The copies of machines, the newest first."""
        found = (d for d in self.disks if not d.baked)
        return tuple(sorted(found, key=lambda d: (-d.taken, d.id)))

    @property
    def baked(self) -> tuple[Disk, ...]:
        """The images, made or in the making."""
        return tuple(d for d in self.disks if d.baked)

    @property
    def result(self) -> Disk | None:
        """The image that is made of a source which is still there."""
        origins = {s.id for s in self.sources}
        made = [d for d in self.baked if d.origin in origins]
        return next((d for d in made if d.state == "completed"), made[0] if made else None)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, and to what (ids)."""

    verb: Verb
    about: tuple[str, ...] = ()

    def __str__(self) -> str:
        return WORDS[self.verb]


@dataclass(frozen=True, slots=True)
class BakePlan:
    """What to do now, what to wait for, and what makes it impossible."""

    steps: tuple[Step, ...] = ()
    waiting: str = ""
    problem: str = ""

    @property
    def done(self) -> bool:
        """Nothing left to do or to wait for."""
        return not (self.steps or self.waiting or self.problem)


def plan_bake(seen: Seen, now: float) -> BakePlan:
    """The next steps to an image of ``seen.machine``, until one is completed (``finished``)."""
    source = next(iter(seen.sources), None)
    if source is None:
        return _begin(seen)
    if source.state != "completed":
        failed = source.state == "failed"
        return BakePlan(
            waiting="" if failed else "the copy of the machine's disk",
            problem="the copy of the machine's disk failed" if failed else "",
        )
    restart = tuple(_restart(seen))
    if seen.result is not None:
        failed = seen.result.state == "failed"
        problem = "the image of the cleaned copy failed" if failed else ""
        return BakePlan(restart, waiting="" if failed else "the image", problem=problem)
    return _clean(seen, source, restart, now)


def finished(seen: Seen) -> str:
    """The id of the image, once it is completed; empty until then."""
    found = seen.result
    return found.id if found is not None and found.state == "completed" else ""


def plan_finish(seen: Seen, keep: str) -> BakePlan:
    """The steps to nothing but the image ``keep``; without one, to what was there before."""
    restart = tuple(_restart(seen))
    live = [h for h in seen.helpers if h.state != "deleting"]
    if live:
        return BakePlan((*restart, Step("terminate", tuple(h.id for h in live))))
    if seen.helpers:
        return BakePlan(restart, waiting="the helper goes")
    if seen.guards:
        return BakePlan((*restart, Step("unguard", seen.guards)))
    origins = {s.id for s in seen.sources}
    if keep:
        old = [d.id for d in seen.baked if d.id != keep and d.state != "pending"]
    else:
        old = [d.id for d in seen.baked if d.origin in origins and d.state != "completed"]
    groups = (tuple(old), tuple(s.id for s in seen.sources))
    discards = tuple(Step("discard", ids) for ids in groups if ids)
    sweeps = (Step("sweep", seen.loose),) if seen.loose else ()
    steps = (*restart, *sweeps, *discards)
    stopping = seen.machine is not None and seen.machine.marked and not steps
    return BakePlan(steps, waiting="the machine" if stopping else "")


def _begin(seen: Seen) -> BakePlan:
    """Until the machine's disk is being copied."""
    live = tuple(h.id for h in seen.helpers if h.state != "deleting")
    if live:  # of a wish that was given up
        return BakePlan((Step("terminate", live),))
    machine = seen.machine
    if machine is None or machine.state == "deleting":
        return BakePlan(problem="the machine is gone")
    if machine.state == "stopped":
        return BakePlan((Step("copy", (machine.id,)),))
    if machine.state in ("pending", "stopping"):
        return BakePlan(waiting=f"the machine is {machine.state}")
    mark = () if machine.marked else (Step("mark", (machine.id,)),)
    return BakePlan((*mark, Step("stop", (machine.id,))))


def _clean(seen: Seen, source: Disk, restart: tuple[Step, ...], now: float) -> BakePlan:
    """Until the cleaned copy is being made an image."""
    live = sorted(
        (h for h in seen.helpers if h.state != "deleting" and h.origin == source.id),
        key=lambda h: (h.started, h.id),
    )
    others = tuple(h.id for h in seen.helpers if h.state != "deleting" and h not in live[:1])
    steps = (*restart, *((Step("terminate", others),) if others else ()))
    if not live:
        guard = () if seen.guards else (Step("guard"),)
        return BakePlan((*steps, *guard, Step("launch", (source.id,))))
    helper = live[0]
    if helper.state == "stopped" and helper.verdict == "clean":
        return BakePlan((*steps, Step("bake", (helper.id, source.id))))
    age = now - helper.started
    if helper.verdict.startswith("failed"):
        return BakePlan(problem=f"cleaning {helper.verdict}")
    if age > (WORD_SECONDS if helper.state == "stopped" else HELPER_SECONDS):
        how = "switched itself off without a word" if helper.state == "stopped" else "did not end"
        return BakePlan(problem=f"the helper {how} in {age // 60:.0f} minutes")
    return BakePlan(steps, waiting="the helper cleans the copy")


def _restart(seen: Seen) -> Iterator[Step]:
    """The machine that ran before runs again."""
    machine = seen.machine
    if machine is None or not machine.marked:
        return
    if machine.state == "stopped":
        yield Step("start", (machine.id,))
    elif machine.state in ("pending", "running"):
        yield Step("unmark", (machine.id,))
