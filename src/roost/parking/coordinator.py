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
from roost.parking.planner import plan_doubt, plan_park, plan_wake, to_list, to_verify
from roost.parking.volume_agent import Verified, VolumeAgent
from roost.plan.up import Plan
from roost.reconcile.loop import Planner

FRESH = 120.0
"""Seconds for which a verification counts before its machine is stopped: it may restart itself."""
ROUNDS = 4
"""Attempts to verify what is written to again."""
LISTINGS = 50
"""Attempts to list a copy right before what it was made of goes."""


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
    _listed: dict[str, float] = field(default_factory=dict)

    def run(self) -> State:
        """Work until all is put away. Raises PartlyDoneError naming what is not, and why."""
        for _ in range(ROUNDS):
            state = self._drive()
            missing = to_verify(state, self.modes, self.confirmed)
            if not missing:
                return state
            if off := not_running(state, missing):
                state = self._start_holders(state, off)
                missing = to_verify(state, self.modes, self.confirmed)
            verified = self._copy(state, missing)
            if verified.troubles:
                if verified.copies:
                    state = self._drive()
                raise _unverified(state, verified.troubles)
        raise PartlyDoneError(
            f"volume {', '.join(v.name for v in missing)} was written to after each of {ROUNDS}"
            " comparisons with S3, and is kept as it is",
            exists=state.conditions,
            next=command_line("roost", "park", state.name),
        )

    def _drive(self) -> State:
        """Reconcile; whatever would go for the sake of a copy in S3 waits until S3 lists that."""
        for _ in range(LISTINGS):
            state = self.drive(self.plan)
            copies = to_list(state, self.modes, self.confirmed)
            if not copies or not self._list(state, copies):
                return self.drive(self.plan) if copies else state
        raise RoostError(
            f"{state.name}: its copies in S3 were listed {LISTINGS} times, and nothing has gone",
            exists=state.conditions,
            next=command_line("roost", "park", state.name),
        )

    def _list(self, state: State, copies: tuple[S3Copy, ...]) -> bool:
        """Ask S3 for copies now. False: one proves nothing any more, and must be made again.

        Where nobody here may list them, a comparison that its machine made in this very run counts.
        Raises RoostError where a copy is not whole and nothing is left to make it again from.
        """
        with self.connect(state) as agent:
            listed = agent.list_copies(copies)
        until = self.clock() + FRESH
        self._listed |= dict.fromkeys(listed.complete, until)
        wrong = dict(listed.troubles)
        for name, why in listed.refused.items():
            here = next(copy for copy in copies if copy.name == name)
            mine = self._verified.get(name)
            if mine is not None and mine[0].tree == here.tree:
                self._listed[name] = float("inf")
            else:
                wrong[name] = f"{why}; so nobody knows whether it is still there"
        if not wrong:
            return True
        for name, why in sorted(wrong.items()):
            self.tell(f"volume {name}: its copy in S3 does not count: {why}")
            self._verified.pop(name, None)
            self._listed.pop(name, None)
        there = {volume.name for volume in state.volumes}
        if alone := sorted(wrong.keys() - there):
            raise _not_whole(state, {name: wrong[name] for name in alone})
        self.drive(lambda have, _: plan_doubt(have, wrong.keys()))
        return False

    def plan(self, have: State, given_up: frozenset[str]) -> Plan:
        """Return the next steps, with the verifications that still count."""
        del given_up
        now = self.clock()
        fresh = {
            name: copy
            for name, (copy, until) in self._verified.items()
            if name in self._stopping or until - FRESH <= now < until
        }
        listed = frozenset(name for name, until in self._listed.items() if now < until)
        plan = plan_park(have, self.modes, self.confirmed, fresh, listed)
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


def _not_whole(state: State, troubles: Mapping[str, str]) -> PartlyDoneError:
    """Return the error for copies that are all there is of their volumes, or should be."""
    lines = "\n".join(f"  {name}: {why}" for name, why in sorted(troubles.items()))
    copies = [copy for copy in state.s3_copies if copy.name in troubles]
    older = [s for s in state.snapshots if s.volume in troubles]
    return PartlyDoneError(
        f"the copy in S3 cannot be relied on, so nothing older was deleted\n{lines}",
        exists=(
            *(copy.description for copy in copies),
            *(f"snapshot {s.name} of volume {s.volume}, older than that" for s in older),
        ),
        next=command_line("roost", "park", state.name) + "   (once the objects are back)",
    )


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
