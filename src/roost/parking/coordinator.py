"""Volumes that go to S3 while their name is parked, and that come back from there.

This is the order of things; what is done on the machines is `Hands`. A copy is proven while its
machine still runs, when nothing can write to the volume any more, and is kept in mind until the
machine has stopped: only then it is written down as the volume's last word. Killed before that, it
is proven again; killed after it, the rest goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from typing import Protocol

from roost.errors import PartlyDoneError, RoostError, command_line
from roost.model.resources import State, Stored, Volume
from roost.model.steps import Stop, Store
from roost.plan.backups import awaited, stored_of
from roost.plan.park import ParkMode, plan_park, plan_wake, to_prove
from roost.plan.up import Plan
from roost.providers.provider import Cloud
from roost.reconcile.loop import Planner, apply_patiently

FRESH = 120.0
"""Seconds for which a proof counts until its machine is stopped: it might restart by itself."""
MOST_AT_ONCE = 24
ROUNDS = 4
"""How often it is looked again for what is not proven."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was proven, and why the rest was not: ``troubles`` by volume."""

    copies: tuple[Stored, ...] = ()
    troubles: Mapping[str, str] = field(default_factory=dict)


class Hands(Protocol):
    """What is done on the machines themselves."""

    def send(self, state: State, volumes: tuple[Volume, ...]) -> Mapping[str, str]:
        """Copy what is on volumes to S3, while programs go on; why it could not be, by volume."""
        ...

    def prove(self, state: State, volumes: tuple[Volume, ...]) -> Found:
        """Let nothing write to volumes any more, and compare them with their copies in S3.

        Where one is not proven, all on its machine goes on as before.
        """
        ...

    def fill(self, state: State, volume: Volume, copy: Stored) -> None:
        """Bring back to a volume what is in S3. Raises PartlyDoneError where it is not all."""
        ...

    def free(self, state: State) -> None:
        """Let programs write again where a park was cut short."""
        ...


@dataclass(slots=True)
class Parking:
    """Parks one name. ``drive`` reconciles with a planner; ``tell`` hears what is worth a line."""

    modes: Mapping[str, ParkMode]
    typed: frozenset[str]
    hands: Hands
    drive: Callable[[Planner], State]
    tell: Callable[[str], None] = lambda _: None
    clock: Callable[[], float] = time.time
    _proven: dict[str, tuple[Stored, float]] = field(default_factory=dict)
    _parting: set[str] = field(default_factory=set)

    def run(self) -> State:
        """Until all is put away. Raises PartlyDoneError, naming what is not, and why."""
        for _ in range(ROUNDS):
            state = self.drive(self.plan)
            missing = to_prove(state, self.modes, self.typed)
            if not missing:
                return state
            if off := _off(state, missing):
                _check_machines(state, off)
                names = frozenset(volume.holder for volume in off)
                self.tell(f"{', '.join(sorted(names))}: started, to copy its data to S3")
                state = self.drive(lambda have, _, names=names: plan_wake(have, names))
                missing = to_prove(state, self.modes, self.typed)
            troubles = dict(self.hands.send(state, missing))
            waiting = {volume.holder for volume in missing if volume.name in troubles}
            found = self.hands.prove(state, tuple(v for v in missing if v.holder not in waiting))
            until = self.clock() + FRESH
            self._proven |= {copy.name: (copy, until) for copy in found.copies}
            troubles |= found.troubles
            if troubles:
                if found.copies:
                    state = self.drive(self.plan)
                raise _unproven(state, troubles)
        raise PartlyDoneError(
            f"its volumes are let in again and again: {', '.join(v.name for v in missing)}",
            exists=state.conditions,
            next=command_line("roost", "park", state.name),
        )

    def plan(self, have: State, given_up: frozenset[str]) -> Plan:
        """The steps, with what is proven and still certain."""
        del given_up
        now = self.clock()
        alive = {
            name: copy
            for name, (copy, until) in self._proven.items()
            if name in self._parting or until - FRESH <= now < until
        }
        plan = plan_park(have, self.modes, self.typed, alive)
        stopped = {one for step in plan.steps if isinstance(step, Stop) for one in step.names}
        self._parting |= {v.name for v in have.volumes if v.holder in stopped and v.name in alive}
        return plan


def _off(state: State, volumes: Iterable[Volume]) -> tuple[Volume, ...]:
    """Those that no machine which runs has."""
    on = {i.name for i in state.instances if i.state == "running"}
    return tuple(v for v in volumes if v.state != "attached" or v.holder not in on)


def _check_machines(state: State, volumes: tuple[Volume, ...]) -> None:
    """No machine is made only to copy a volume."""
    there = {i.name for i in state.instances}
    alone = [v.name for v in volumes if v.holder not in there]
    if alone:
        raise RoostError(
            f"volume {', '.join(alone)}: only its machine can copy it to S3, and there is none",
            exists=tuple(f"volume {name}" for name in alone),
            next=command_line("roost", "up", state.name)
            + "   (then park it), or: "
            + command_line("roost", "park", state.name, "--mode", f"{alone[0]}=snapshot"),
        )


def _unproven(state: State, troubles: Mapping[str, str]) -> PartlyDoneError:
    lines = "\n".join(f"  {name}: {why}" for name, why in sorted(troubles.items()))
    kept = ", ".join(sorted(troubles))
    return PartlyDoneError(
        f"not proven to be in S3, and so kept as it is: volume {kept}\n{lines}",
        exists=(*state.conditions, *(f"volume {name}" for name in sorted(troubles))),
        next=command_line("roost", "park", state.name)
        + "   (again; it goes on), or: "
        + command_line("roost", "park", state.name, "--mode", f"{min(troubles)}=snapshot"),
    )


def place_of(root: str, state: State, volume: Volume) -> str:
    """Where in S3 a volume goes: where its last copy is, so that only changes are sent.

    The first copy has a place of its own, by the volume's id: whatever else is there, of another
    account or of a name that is no more, is never mistaken for it.
    """
    below = f"{root.rstrip('/')}/{state.name}/{volume.name}/"
    known = stored_of(volume.name, state)
    if known is not None and known.place.startswith(below):
        return known.place
    return f"{below}{volume.id}/"


# --- back again ----------------------------------------------------------------------------------


def waiting(state: State) -> tuple[tuple[Volume, Stored], ...]:
    """The volumes whose data is not all back, and where it is."""
    found = ((volume, awaited(volume, state)) for volume in state.volumes)
    return tuple((volume, copy) for volume, copy in found if copy is not None)


def fill_all(cloud: Cloud, state: State, hands: Hands) -> State:
    """Bring back the data of all volumes that wait for it, on machines that run.

    Until all of a volume is there, its copy in S3 stays the truth. A machine that fails keeps no
    other from going on. Raises PartlyDoneError at the end.
    """
    off = {v.name for v in _off(state, state.volumes)}
    troubles: list[str] = []
    for volume, copy, trouble in _filled(state, hands, off):
        if trouble:
            troubles.append(trouble)
            continue
        filled = replace(copy, source=volume.id, sealed=False)
        apply_patiently(cloud, state.name, Store((filled,)))
        stored = tuple(filled if s.name == volume.name else s for s in state.stored)
        state = replace(state, stored=stored)
    if troubles:
        raise PartlyDoneError(
            "\n".join(troubles),
            exists=state.conditions,
            next=command_line("roost", "resume", state.name) + "   (goes on)",
        )
    return state


Filled = tuple[Volume, Stored, str]
"""A volume, its copy in S3, and why not all of it came back."""


def _filled(state: State, hands: Hands, off: Collection[str]) -> Iterator[Filled]:
    """Each as it ends; all machines at once, one volume after the other on each."""
    queues: dict[str, list[tuple[Volume, Stored]]] = {}
    for volume, copy in waiting(state):
        if volume.name not in off:
            queues.setdefault(volume.holder, []).append((volume, copy))

    def one(queue: list[tuple[Volume, Stored]]) -> Iterator[Filled]:
        for volume, copy in queue:
            try:
                hands.fill(state, volume, copy)
                yield volume, copy, ""
            except RoostError as error:
                yield volume, copy, error.what

    if len(queues) < 2:
        for queue in queues.values():
            yield from one(queue)
        return
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        futures = [pool.submit(lambda q: list(one(q)), queue) for queue in queues.values()]
        for future in as_completed(futures):
            yield from future.result()
