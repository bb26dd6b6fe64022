"""An image of a machine, without anything personal: what to do next. Pure.

The machine itself is never cleaned. Its disk is copied while it is stopped (the *source*, private);
a *helper* started from the source erases on its own disk what is personal, says so, and switches
itself off; then the helper's disk becomes the image (*baked*). As long as the source exists, the
same command continues from it; it is deleted last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from roost.model.images import BakeState, BakeStep, DiskImage

HELPER_SECONDS = 15 * 60.0
"""A helper that has not switched itself off by then never will."""
WORD_SECONDS = 25 * 60.0
"""The console of a helper that is off is shown by then."""


@dataclass(frozen=True, slots=True)
class BakePlan:
    """What to do now, what to wait for, and what makes it impossible."""

    steps: tuple[BakeStep, ...] = ()
    waiting: str = ""
    problem: str = ""

    @property
    def done(self) -> bool:
        """Nothing left to do or to wait for."""
        return not (self.steps or self.waiting or self.problem)


def plan_bake(state: BakeState) -> BakePlan:
    """Return the next steps to an image of ``state.machine``, until one is completed."""
    if state.finished:
        return BakePlan()
    source = next(iter(state.sources), None)
    if source is None:
        return _begin(state)
    if source.state != "completed":
        failed = source.state == "failed"
        return BakePlan(
            waiting="" if failed else "the copy of the machine's disk",
            problem="the copy of the machine's disk failed" if failed else "",
        )
    restart = tuple(_restart(state))
    if state.result is not None:
        failed = state.result.state == "failed"
        problem = "the image of the cleaned copy failed" if failed else ""
        return BakePlan(restart, waiting="" if failed else "the image", problem=problem)
    return _clean(state, source, restart)


def plan_cleanup(state: BakeState, keep: str) -> BakePlan:
    """Return the steps to nothing but the image ``keep``; without one, to what was there before."""
    restart = tuple(_restart(state))
    live = [h for h in state.helpers if h.state != "deleting"]
    if live:
        return BakePlan((*restart, BakeStep("terminate-helpers", tuple(h.id for h in live))))
    if state.helpers:
        return BakePlan(restart, waiting="the helper goes")
    if state.firewalls:
        return BakePlan((*restart, BakeStep("delete-firewalls", state.firewalls)))
    origins = {s.id for s in state.sources}
    if keep:
        old = [d.id for d in state.baked if d.id != keep and d.state != "pending"]
    else:
        old = [d.id for d in state.baked if d.origin in origins and d.state != "completed"]
    groups = (tuple(old), tuple(s.id for s in state.sources))
    deletions = tuple(BakeStep("delete-images", ids) for ids in groups if ids)
    orphans = (BakeStep("delete-snapshots", state.orphans),) if state.orphans else ()
    steps = (*restart, *orphans, *deletions)
    stopping = state.machine is not None and state.machine.restart and not steps
    return BakePlan(steps, waiting="the machine" if stopping else "")


def _begin(state: BakeState) -> BakePlan:
    """Return the steps until the machine's disk is being copied."""
    live = tuple(h.id for h in state.helpers if h.state != "deleting")
    if live:  # of a source that is gone
        return BakePlan((BakeStep("terminate-helpers", live),))
    machine = state.machine
    if machine is None or machine.state == "deleting":
        return BakePlan(problem="the machine is gone")
    if machine.state == "stopped":
        return BakePlan((BakeStep("copy-disk", (machine.id,)),))
    if machine.state in ("pending", "stopping"):
        return BakePlan(waiting=f"the machine is {machine.state}")
    mark = () if machine.restart else (BakeStep("mark-restart", (machine.id,)),)
    return BakePlan((*mark, BakeStep("stop", (machine.id,))))


def _clean(state: BakeState, source: DiskImage, restart: tuple[BakeStep, ...]) -> BakePlan:
    """Return the steps until the image of the cleaned copy is being made."""
    live = sorted(
        (h for h in state.helpers if h.state != "deleting" and h.origin == source.id),
        key=lambda h: (h.started, h.id),
    )
    others = tuple(h.id for h in state.helpers if h.state != "deleting" and h not in live[:1])
    steps = (*restart, *((BakeStep("terminate-helpers", others),) if others else ()))
    if not live:
        firewall = () if state.firewalls else (BakeStep("create-firewall"),)
        return BakePlan((*steps, *firewall, BakeStep("launch-helper", (source.id,))))
    helper = live[0]
    if helper.state == "stopped" and helper.verdict == "clean":
        return BakePlan((*steps, BakeStep("create-image", (helper.id, source.id))))
    age = state.now - helper.started
    if helper.verdict.startswith("failed"):
        return BakePlan(problem=f"cleaning {helper.verdict}")
    if age > (WORD_SECONDS if helper.state == "stopped" else HELPER_SECONDS):
        how = "switched itself off without a word" if helper.state == "stopped" else "did not end"
        return BakePlan(problem=f"the helper {how} in {age // 60:.0f} minutes")
    return BakePlan(steps, waiting="the helper cleans the copy")


def _restart(state: BakeState) -> Iterator[BakeStep]:
    """Yield what makes the machine run again, if it ran before."""
    machine = state.machine
    if machine is None or not machine.restart:
        return
    if machine.state == "stopped":
        yield BakeStep("start", (machine.id,))
    elif machine.state in ("pending", "running"):
        yield BakeStep("unmark-restart", (machine.id,))
