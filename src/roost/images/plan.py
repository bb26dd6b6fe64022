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
    """The steps to do now, the thing to wait for, and the reason if it is impossible."""

    steps: tuple[BakeStep, ...] = ()
    waiting: str = ""
    problem: str = ""

    @property
    def done(self) -> bool:
        """Return whether nothing is left to do or to wait for."""
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
        ids = tuple(h.id for h in live)
        done = "the image needs it no more" if keep else "no image comes of it"
        return BakePlan((*restart, BakeStep("terminate-helpers", ids, reason=done)))
    if state.helpers:
        return BakePlan(restart, waiting="the helper goes")
    if state.firewalls:
        return BakePlan(
            (*restart, BakeStep("delete-firewalls", state.firewalls, reason="no helper is left"))
        )
    origins = {s.id for s in state.sources}
    if keep:
        old = [d.id for d in state.baked if d.id != keep and d.state != "pending"]
    else:
        old = [d.id for d in state.baked if d.origin in origins and d.state != "completed"]
    unfinished = "a newer image has its name" if keep else "it was not completed"
    groups = (
        (tuple(old), unfinished),
        (tuple(s.id for s in state.sources), "it holds what is personal on the machine"),
    )
    deletions = tuple(BakeStep("delete-images", ids, reason=why) for ids, why in groups if ids)
    gone = BakeStep("delete-snapshots", state.orphans, reason="their images are gone")
    orphans = (gone,) if state.orphans else ()
    steps = (*restart, *orphans, *deletions)
    stopping = state.machine is not None and state.machine.restart and not steps
    return BakePlan(steps, waiting="the machine" if stopping else "")


def _begin(state: BakeState) -> BakePlan:
    """Return the steps until the machine's disk is being copied."""
    live = tuple(h.id for h in state.helpers if h.state != "deleting")
    if live:
        why = "the copy that it was started from is gone"
        return BakePlan((BakeStep("terminate-helpers", live, reason=why),))
    machine = state.machine
    if machine is None or machine.state == "deleting":
        return BakePlan(problem="the machine is gone")
    if machine.state == "stopped":
        why = "the machine itself is never cleaned"
        return BakePlan((BakeStep("copy-disk", (machine.id,), reason=why),))
    if machine.state in ("pending", "stopping"):
        return BakePlan(waiting=f"the machine is {machine.state}")
    ids = (machine.id,)
    mark = BakeStep("mark-restart", ids, reason="it runs now, and has to be stopped")
    stop = BakeStep("stop", ids, reason="nothing may write while its disk is copied")
    return BakePlan((stop,) if machine.restart else (mark, stop))


def _clean(state: BakeState, source: DiskImage, restart: tuple[BakeStep, ...]) -> BakePlan:
    """Return the steps until the image of the cleaned copy is being made."""
    live = sorted(
        (h for h in state.helpers if h.state != "deleting" and h.origin == source.id),
        key=lambda h: (h.started, h.id),
    )
    others = tuple(h.id for h in state.helpers if h.state != "deleting" and h not in live[:1])
    surplus = BakeStep("terminate-helpers", others, reason="another helper cleans the copy")
    steps = (*restart, *((surplus,) if others else ()))
    if not live:
        firewall = BakeStep("create-firewall", reason="nobody has to reach the helper")
        launch = BakeStep("launch-helper", (source.id,), reason="it erases what is personal")
        return BakePlan((*steps, *(() if state.firewalls else (firewall,)), launch))
    helper = live[0]
    if helper.state == "stopped" and helper.verdict == "clean":
        why = "the helper says that its disk is clean"
        return BakePlan((*steps, BakeStep("create-image", (helper.id, source.id), reason=why)))
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
        yield BakeStep("start", (machine.id,), reason="it ran before its disk was copied")
    elif machine.state in ("pending", "running"):
        yield BakeStep("unmark-restart", (machine.id,), reason="nothing has to start it any more")
