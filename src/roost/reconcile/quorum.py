"""The way on with fewer: a cluster for which the cloud has no room for all of its workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from roost.errors import CapacityError, PartlyDoneError, command_line
from roost.model.resources import Instance, Role, State, Wanted
from roost.model.steps import Create, Step
from roost.plan.up import Plan

PATIENCE = 300.0
"""Seconds that the last ones have, once everything else runs."""


class PartlyUpError(PartlyDoneError):
    """Enough runs to go on; the message names what is missing, and ``state`` is what is there."""

    def __init__(
        self,
        what: str,
        *,
        exists: tuple[str, ...] = (),
        next: str | None = None,  # noqa: A002
        state: State = State(name=""),  # noqa: B008  (frozen, and empty)
    ) -> None:
        super().__init__(what, exists=exists, next=next)
        self.state = state


@dataclass(frozen=True, slots=True)
class Quorum:
    """The number of a role that is enough; of roles that are not in ``least``, all are needed.

    ``patience`` is in seconds.
    """

    least: Mapping[Role, int] = field(default_factory=dict)
    patience: float = PATIENCE


def quorum_of(wanted: Wanted) -> Quorum:
    """Return the quorum of what is wanted."""
    return Quorum({g.role: g.least for g in wanted.groups if g.least is not None})


@dataclass(slots=True)
class Missing:
    """The instances that one run goes without: ``refused`` has the cloud's answer by instance."""

    quorum: Quorum
    refused: dict[str, tuple[Role, CapacityError]] = field(default_factory=dict)
    since: float | None = None

    def refuse(self, step: Step, error: CapacityError) -> bool:
        """Tell whether there may be fewer of these, after the cloud had no room."""
        if not isinstance(step, Create):
            return False
        instances = [r for r in step.resources if isinstance(r, Instance)]
        if any(i.role not in self.quorum.least for i in instances):
            return False
        self.refused |= {i.name: (i.role, error) for i in instances}
        return bool(instances)

    def check(self, state: State) -> None:
        """Raise CapacityError where there cannot be enough."""
        for role, error in self.refused.values():
            live = sum(
                i.role == role and i.state not in ("deleting", "failed") for i in state.instances
            )
            if live < self.quorum.least[role]:
                raise CapacityError(error.what, exists=state.conditions, next=error.next)

    def without(self, plan: Plan) -> Plan:
        """Return the plan without what there is no room for."""
        if not self.refused:
            return plan
        steps = (self._less(step) for step in plan.steps)
        return replace(plan, steps=tuple(step for step in steps if step is not None))

    def _less(self, step: Step) -> Step | None:
        if not isinstance(step, Create) or step.kind != "instance":
            return step
        left = tuple(r for r in step.resources if r.name not in self.refused)
        return replace(step, resources=left) if left else None

    def enough(self, state: State, plan: Plan, now: float) -> bool:
        """Tell whether all but the last of a role run, and those had their time."""
        late = self._late(state)
        if plan.steps or not plan.waiting or not late.issuperset(plan.waiting):
            self.since = None
            return False
        for role, least in self.quorum.least.items():
            if sum(i.role == role and i.state == "running" for i in state.instances) < least:
                return False
        if self.since is None:
            self.since = now
        return now - self.since >= self.quorum.patience

    def _late(self, state: State) -> set[str]:
        least = self.quorum.least
        return {i.name for i in state.instances if i.state == "pending" and i.role in least}

    def say(self, state: State) -> None:
        """Raise PartlyUpError where something is missing."""
        there = {i.name for i in state.instances}
        refused = {name: why for name, (_, why) in self.refused.items() if name not in there}
        late = [i.name for i in state.instances if i.name in self._late(state)]
        if not refused and not late:
            return
        why = [*dict.fromkeys(error.what for error in refused.values())]
        if late:
            why.append(
                f"{_few(late)} not ready {self.quorum.patience / 60:g} minutes after the rest"
            )
        what = f"{state.name} is up without {_few([*refused, *late])}: {'; '.join(why)}"
        raise PartlyUpError(
            what,
            exists=tuple(f"{i.name} ({i.state})" for i in state.instances if i.name in late),
            next=command_line("roost", "up", state.name) + "   (fills up, any time later)",
            state=state,
        )


def _few(names: list[str], most: int = 6) -> str:
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} ... {names[-1]} ({len(names)} in all)"
