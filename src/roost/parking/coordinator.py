"""The order of parking: reconcile until all is put away, and copy to S3 what goes there.

A copy is verified while its machine still runs, when nothing can write to the volume any more, and
is held in memory until the machine has stopped: only then it is recorded as the volume's content.
Killed before that, it is verified again; killed after it, the rest goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from roost.errors import PartlyDoneError, RoostError, command_line
from roost.model.resources import S3Copy, State, Volume
from roost.model.steps import Stop
from roost.parking.modes import ParkMode
from roost.parking.planner import plan_park, plan_wake, to_verify
from roost.parking.volume_agent import Verified, VolumeAgent
from roost.plan.up import Plan
from roost.reconcile.loop import Planner

FRESH = 120.0
"""Seconds for which a verification counts before its machine is stopped: it may restart itself."""
ROUNDS = 4
"""Attempts to verify what is written to again."""


@dataclass(slots=True)
class Parking:
    """The parking of one name.

    ``confirmed`` are the volumes whose data the user allowed to discard. ``drive`` reconciles with
    a planner, ``connect`` reaches the machines of a state, ``tell`` gets the lines worth reading.
    """

    modes: Mapping[str, ParkMode]
    confirmed: frozenset[str]
    connect: Callable[[State], AbstractContextManager[VolumeAgent]]
    drive: Callable[[Planner], State]
    tell: Callable[[str], None] = lambda _: None
    clock: Callable[[], float] = time.time
    _verified: dict[str, tuple[S3Copy, float]] = field(default_factory=dict)
    _stopping: set[str] = field(default_factory=set)

    def run(self) -> State:
        """Work until all is put away. Raises PartlyDoneError naming what is not, and why."""
        for _ in range(ROUNDS):
            state = self.drive(self.plan)
            missing = to_verify(state, self.modes, self.confirmed)
            if not missing:
                return state
            if off := not_running(state, missing):
                state = self._start_holders(state, off)
                missing = to_verify(state, self.modes, self.confirmed)
            verified = self._copy(state, missing)
            if verified.troubles:
                if verified.copies:
                    state = self.drive(self.plan)
                raise _unverified(state, verified.troubles)
        raise PartlyDoneError(
            f"volume {', '.join(v.name for v in missing)} was written to after each of {ROUNDS}"
            " comparisons with S3, and is kept as it is",
            exists=state.conditions,
            next=command_line("roost", "park", state.name),
        )

    def plan(self, have: State, given_up: frozenset[str]) -> Plan:
        """Return the next steps, with the verifications that still count."""
        del given_up
        now = self.clock()
        fresh = {
            name: copy
            for name, (copy, until) in self._verified.items()
            if name in self._stopping or until - FRESH <= now < until
        }
        plan = plan_park(have, self.modes, self.confirmed, fresh)
        stopped = {name for step in plan.steps if isinstance(step, Stop) for name in step.names}
        self._stopping |= {v.name for v in have.volumes if v.holder in stopped and v.name in fresh}
        return plan

    def _start_holders(self, state: State, volumes: tuple[Volume, ...]) -> State:
        """Start stopped machines to copy their volumes; none is created only for that."""
        existing = {i.name for i in state.instances}
        alone = [v.name for v in volumes if v.holder not in existing]
        if alone:
            raise RoostError(
                f"volume {', '.join(alone)}: only its machine can copy it to S3, and there is none",
                exists=tuple(f"volume {name}" for name in alone),
                next=command_line("roost", "up", state.name)
                + "   (then park it), or: "
                + command_line("roost", "park", state.name, "--mode", f"{alone[0]}=snapshot"),
            )
        names = frozenset(volume.holder for volume in volumes)
        self.tell(f"{', '.join(sorted(names))}: started, to copy its data to S3")
        return self.drive(lambda have, _: plan_wake(have, names))

    def _copy(self, state: State, volumes: tuple[Volume, ...]) -> Verified:
        """Copy most of the data while programs run, then stop the writing and verify."""
        with self.connect(state) as agent:
            troubles = dict(agent.send(state, volumes))
            failed = {volume.holder for volume in volumes if volume.name in troubles}
            verified = agent.verify(state, tuple(v for v in volumes if v.holder not in failed))
        until = self.clock() + FRESH
        self._verified |= {copy.name: (copy, until) for copy in verified.copies}
        return Verified(verified.copies, troubles | dict(verified.troubles))


def not_running(state: State, volumes: tuple[Volume, ...]) -> tuple[Volume, ...]:
    """Return the volumes that no running machine has attached."""
    running = {i.name for i in state.instances if i.state == "running"}
    return tuple(v for v in volumes if v.state != "attached" or v.holder not in running)


def _unverified(state: State, troubles: Mapping[str, str]) -> PartlyDoneError:
    lines = "\n".join(f"  {name}: {why}" for name, why in sorted(troubles.items()))
    kept = ", ".join(sorted(troubles))
    return PartlyDoneError(
        f"not proven to be in S3, and so kept as it is: volume {kept}\n{lines}",
        exists=(*state.conditions, *(f"volume {name}" for name in sorted(troubles))),
        next=command_line("roost", "park", state.name)
        + "   (again; it goes on), or: "
        + command_line("roost", "park", state.name, "--mode", f"{min(troubles)}=snapshot"),
    )
