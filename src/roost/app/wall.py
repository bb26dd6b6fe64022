"""A class as its trainer sees it: what the cloud says, and what the seats say of themselves.

One ssh to the gateway asks for all seats: a program there looks at them for as long as this one
listens, and tells of each look in a line.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING

from roost.app.given import given
from roost.app.people import People, people_of
from roost.app.seats import class_of
from roost.errors import RoostError, command_line
from roost.model.glance import LONGEST_LINE, Glance, parse
from roost.model.resources import GATEWAY
from roost.recipes.gateway import GLANCES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from roost.cost.spent import BudgetUse, Cost
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.spec.classroom import Classroom

OWN = ("ControlMaster=no", "ControlPath=none", "ServerAliveInterval=3", "ServerAliveCountMax=2")
"""A connection of its own, which notices within seconds that the network is gone."""
HAND = "/run/roost-hand/up"
"""On a seat: its user has asked for help."""
Roster = dict[str, tuple[str, str]]
"""Each seat's address in the cloud's own network, and its machine's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A class as the cloud has it now; ``notes`` say what is not known."""

    cloud: Cloud
    spec: Classroom
    state: State
    people: People
    cost: Cost | str | None = None
    budget: BudgetUse | None = None
    notes: tuple[str, ...] = ()

    @property
    def looks(self) -> bool:
        """Tell whether its seats can be looked at: by a gateway that opens their pages."""
        access = self.spec.access
        return access.makes_gateway and bool(access.https) and self.spec.protocol == "novnc"

    @property
    def roster(self) -> Roster:
        """Return whom to look at: the seats that run."""
        return {
            one.name: (one.private or one.address or "", one.id)
            for one in self.state.instances
            if one.role == "seat" and one.state == "running" and (one.private or one.address)
        }


def overview(session: Session, name: str) -> Overview:
    """Look at a class in the cloud; no seat is asked. Raises UsageError where it is none."""
    from roost.app.cost import budget_now
    from roost.app.limits import stops_of
    from roost.app.show import cost_or_why

    cloud, spec, state = class_of(session, name, command_line("roost", "show", name))
    notes: list[str] = []
    try:
        people = people_of(spec, given(cloud, name), notes.append)
    except RoostError as error:
        people, notes = People(known=False), [error.what]
    cost = cost_or_why(cloud, state)
    budget = None
    if cost is not None and not isinstance(cost, str):
        budget = budget_now(spec, stops_of(spec, state, {}), cost)
    return Overview(
        cloud=cloud,
        spec=spec,
        state=state,
        people=people,
        cost=cost,
        budget=budget,
        notes=tuple(notes),
    )


class Watch:
    """The gateway's program at work, by one ssh, until it is closed."""

    def __init__(self, line: Sequence[str], heard: Callable[[Glance], None]) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self._process = subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
        )
        Thread(target=self._read, args=(heard,), daemon=True).start()

    def ask(self, roster: Mapping[str, tuple[str, str]]) -> None:
        """Look at these seats from now on."""
        with suppress(OSError):  # it has ended, which `ended` says
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps({"seats": roster}).encode() + b"\n")
            self._process.stdin.flush()

    @property
    def ended(self) -> str | None:
        """Return why it has ended; None while it is at work."""
        if self._process.poll() is None:
            return None
        self._errors.seek(0)
        lines = self._errors.read(10_000).decode(errors="replace").strip().splitlines()
        last = lines[-1][:200] if lines else "the connection ended"
        return "its roost is older; `roost up` brings what looks" if "not found" in last else last

    def close(self) -> None:
        """End it."""
        with suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        self._process.terminate()
        self._process.wait()
        self._errors.close()

    def _read(self, heard: Callable[[Glance], None]) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            while line := lines.readline(LONGEST_LINE):
                if not line.endswith(b"\n"):
                    self._process.kill()
                    return
                glance = parse(line)
                if glance is not None:
                    heard(glance)


def watch(session: Session, of: Overview, heard: Callable[[Glance], None]) -> Watch:
    """Begin to look at all seats of a class. Raises RoostError where its gateway is not reached."""
    from roost.app.connect import connected
    from roost.ssh import command

    way = connected(session, of.cloud, of.state, GATEWAY)
    line = command.batch(way.config, way.alias, ["sudo", "-n", GLANCES])
    return Watch(command.with_options(line, *OWN), heard)


def lower_hand(session: Session, name: str, seat: str) -> None:
    """Forget that a seat's user has asked for help. Raises RoostError where it is not reached."""
    from roost.app.seats import chosen, on_each, problem_of
    from roost.ssh.query import asked

    cloud, spec, state = class_of(session, name, command_line("roost", "show", name))
    seats = chosen(spec, [seat])
    found = on_each(session, cloud, state, seats, lambda way: asked(way, ["rm", "-f", HAND]))
    if problem := problem_of(found, lambda _: command_line("roost", "show", name)):
        raise problem
