"""observe -> plan -> apply, repeated until the plan is empty."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from roost.errors import CapacityError, CloudError, SetupError, ThrottledError, command_line
from roost.log import debug
from roost.model.resources import State
from roost.model.steps import Create, Start, Step, describe, subjects
from roost.plan.up import Plan
from roost.providers.provider import Cloud
from roost.reconcile.quorum import Missing, Quorum

MOST_TRIES = 3
"""How often one and the same step may come back before roost says that it does not take."""
THROTTLE_TRIES = 8
ALL = Quorum()
"""Nothing less than all is enough."""


class Planner(Protocol):
    """A plan function with everything but the state filled in."""

    def __call__(self, have: State, given_up: frozenset[str], /) -> Plan:
        """The plan for what was seen."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """What the loop tells whoever watches: the state seen, the plan made, the step begun."""

    state: State
    plan: Plan
    step: Step | None = None


def converge(
    cloud: Cloud,
    name: str,
    planner: Planner,
    watch: Callable[[Progress], None] = lambda _: None,
    *,
    quorum: Quorum = ALL,
    clock: Callable[[], float] = time.monotonic,
) -> State:
    """Drive ``name`` until its plan is empty, and return what is there then.

    With a ``quorum``, so many of a role are enough where the cloud has no room for more, or where
    the last of them take longer than its patience: then it raises PartlyUpError, naming them.
    Raises SetupError naming the instances that failed while the others went on, and CloudError
    where a step is done again and again and changes nothing.
    """
    missing = Missing(quorum)
    touched: set[str] = set()
    tries: Counter[Step] = Counter()
    waited_since: float | None = None
    while True:
        state = cloud.observe(name)
        missing.check(state)
        given_up = _failed_here(state, touched)
        plan = missing.without(planner(state, given_up))
        watch(Progress(state, plan))
        if plan.done or missing.enough(state, plan, clock()):
            _raise_failed(cloud, name, given_up, state)
            missing.say(state)
            return state
        if not plan.steps:
            now = clock()
            waited_since = now if waited_since is None else waited_since
            cloud.wait(name, now - waited_since)
            continue
        waited_since = None
        for step in plan.steps:
            _count(step, tries)
            debug("plan", describe(step))
            watch(Progress(state, plan, step))
            if isinstance(step, Create | Start):
                touched.update(subjects(step))
            try:
                apply_patiently(cloud, name, step)
            except CapacityError as error:
                if not missing.refuse(step, error):
                    raise
                break  # some of them may be there: look again


def _failed_here(state: State, touched: set[str]) -> frozenset[str]:
    """Instances that failed after this run began them: set-up has had its try."""
    return frozenset(i.name for i in state.instances if i.state == "failed" and i.name in touched)


def _count(step: Step, tries: Counter[Step]) -> None:
    tries[step] += 1
    if tries[step] > MOST_TRIES:
        raise CloudError(
            f"{describe(step)}: done {MOST_TRIES} times, and the cloud shows no change"
        )


def apply_patiently(cloud: Cloud, name: str, step: Step) -> None:
    """Do one step, again where there were too many calls at once. Raises CloudError."""
    for attempt in range(THROTTLE_TRIES):
        try:
            return cloud.apply(name, step)
        except ThrottledError:
            if attempt == THROTTLE_TRIES - 1:
                raise
            cloud.wait(name, float(2**attempt))


def _raise_failed(cloud: Cloud, name: str, failed: frozenset[str], state: State) -> None:
    if not failed:
        return
    notes = {i.name: i.note for i in state.instances}
    parts = []
    for instance in sorted(failed):
        log = cloud.logs(name, instance, 12).rstrip()
        parts.append(f"{instance}: {notes[instance]}\n{_indent(log)}")
    raise SetupError(
        "set-up failed on " + "\n".join(parts),
        exists=state.conditions,
        next=command_line("roost", "logs", name, min(failed))
        + "   (`roost up` tries again, `roost down` removes)",
    )


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
