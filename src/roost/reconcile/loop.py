"""Observe, plan, apply: repeated until the plan is empty."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, Protocol, TypeVar

from roost.errors import (
    CapacityError,
    CloudError,
    NotYetError,
    RoostError,
    SetupError,
    ThrottledError,
    command_line,
)
from roost.log import debug
from roost.model.resources import State
from roost.model.steps import Create, Start, Step, describe, explain, subjects
from roost.plan.up import Plan
from roost.providers.provider import Cloud
from roost.reconcile.quorum import Missing, Quorum

MOST_TRIES = 3
"""How often one and the same step may come back before roost says that it does not take."""
THROTTLE_TRIES = 8
MOST_HELD_UP = 40
"""How often a step may have to wait for what is on its way: on a cloud, some six minutes."""
ALL = Quorum()
"""Nothing less than all is enough."""

R = TypeVar("R")
S = TypeVar("S")
T = TypeVar("T", bound=Hashable)
S_co = TypeVar("S_co", covariant=True)
T_co = TypeVar("T_co", covariant=True)
T_contra = TypeVar("T_contra", contravariant=True)


# --- the loop, whatever it is about --------------------------------------------------------------


class Target(Protocol[S_co, T_contra]):
    """Something to look at and to change: a cloud, or the build of an image."""

    def observe(self, name: str) -> S_co:
        """Return everything of one name."""
        ...

    def apply(self, name: str, step: T_contra) -> None:
        """Do one step. Safe to call again after a kill at any point."""
        ...

    def wait(self, name: str, since: float) -> None:
        """Come back when something may have changed; ``since`` is seconds waited so far."""
        ...


class Steps(Protocol[T_co]):
    """A plan: the steps for now; ``done`` where there is nothing to wait for either."""

    @property
    def steps(self) -> tuple[T_co, ...]:
        """The steps, in order."""
        ...

    @property
    def done(self) -> bool:
        """True if nothing is left to do or to wait for."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal(Generic[S, T]):
    """The goal of a loop: ``plan`` from a state, until it is done.

    ``watch`` is told each state, and each step before it is done. ``refuse`` says whether to go on
    without a step for which there is no room. ``tries`` limits how often one step comes back.
    ``describe`` says what a step does, and ``explain`` why, too.
    """

    plan: Callable[[S], Steps[T]]
    watch: Callable[[S, T | None], None]
    describe: Callable[[T], str] = str
    explain: Callable[[T], str] = str
    refuse: Callable[[T, CapacityError], bool] = lambda _step, _error: False
    tries: int = MOST_TRIES


def run_loop(
    target: Target[S, T],
    name: str,
    goal: Goal[S, T],
    clock: Callable[[], float] = time.monotonic,
) -> S:
    """Drive ``name`` until its plan is done, and return what is there then.

    What comes back unchanged is done again, and has a moment to take; what cannot be done yet has
    minutes. Raises CloudError where a step is done again and again and changes nothing.
    """
    tries: Counter[T] = Counter()
    held_up: Counter[T] = Counter()
    last: tuple[T, ...] = ()
    waited_since: float | None = None
    while True:
        state = _patiently(target, name, partial(target.observe, name))
        plan = goal.plan(state)
        goal.watch(state, None)
        if plan.done:
            return state
        for step in plan.steps:
            tries[step] += 1
            if tries[step] > goal.tries:
                what = f"{goal.describe(step)}: done {goal.tries} times"
                raise CloudError(f"{what}, and the cloud shows no change")
            debug("plan", goal.explain(step))
            goal.watch(state, step)
            try:
                apply_patiently(target, name, step)
            except CapacityError as error:
                if not goal.refuse(step, error):
                    raise
                break  # some of them may be there: look again
            except NotYetError:
                tries[step] -= 1
                held_up[step] += 1
                if held_up[step] > MOST_HELD_UP:
                    raise
        changed, last = plan.steps != last, plan.steps
        if plan.steps and changed:
            waited_since = None
            continue
        now = clock()
        waited_since = now if waited_since is None else waited_since
        target.wait(name, now - waited_since)


def apply_patiently(target: Target[S, T], name: str, step: T) -> None:
    """Do one step, again where there were too many calls at once. Raises CloudError."""
    _patiently(target, name, partial(target.apply, name, step))


def _patiently(target: Target[S, T], name: str, call: Callable[[], R]) -> R:
    """Call, again where there were too many calls at once. Raises ThrottledError in the end."""
    for attempt in range(THROTTLE_TRIES - 1):
        try:
            return call()
        except NotYetError:
            raise
        except ThrottledError:
            target.wait(name, float(2**attempt))
    return call()


# --- the machines of one name --------------------------------------------------------------------


class Planner(Protocol):
    """A plan function with everything but the state filled in."""

    def __call__(self, have: State, given_up: frozenset[str], /) -> Plan:
        """Return the plan for what was seen."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """The news that a loop has for whoever watches: the state seen, and the step begun."""

    state: State
    step: Step | None = None


def reconcile(
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
    Raises RoostError where the plan refuses to go on,
    SetupError naming the instances that failed while the others went on, and CloudError
    where a step is done again and again and changes nothing.
    """
    missing = Missing(quorum)
    begun: set[str] = set()

    def failed(state: State) -> frozenset[str]:
        """Return instances that failed after this run began them: set-up has had its try."""
        return frozenset(i.name for i in state.instances if i.state == "failed" and i.name in begun)

    def plan(state: State) -> Plan:
        missing.check(state)
        planned = planner(state, failed(state))
        refuse(planned)
        left = missing.without(planned)
        return replace(left, waiting=()) if missing.enough(state, left, clock()) else left

    def tell(state: State, step: Step | None) -> None:
        watch(Progress(state, step))
        if isinstance(step, Create | Start):
            begun.update(subjects(step))

    goal = Goal(plan=plan, watch=tell, describe=describe, explain=explain, refuse=missing.refuse)
    state = run_loop(cloud, name, goal, clock)
    _raise_failed(cloud, name, failed(state), state)
    missing.say(state)
    return state


def refuse(plan: Plan) -> None:
    """Raise RoostError where a person has to decide something before anything can be done."""
    if (refusal := plan.refusal) is not None:
        raise RoostError(refusal.what, exists=refusal.exists, next=refusal.next)


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
