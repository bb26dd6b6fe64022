"""Follow the work: ask the head what it has to do, and have as many rented workers as that needs.

The machines hold no keys to the account, so this goes on only while it runs here. What the number
may be is kept with the name (``ranges``); that one computer follows at a time is the head's to say.
"""

from __future__ import annotations

import getpass
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from roost.errors import (
    AccessError,
    BusyError,
    NeedsConfirmationError,
    RoostError,
    UsageError,
    command_line,
)

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.notebook.dask.ranges import Range
    from roost.plan.follow import Decision, Machines, Room, Work
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.spec.cluster import Cluster
    from roost.ssh.connection import Connection

RUN = "/usr/lib/roost/run"
EVERY, QUIET = 20.0, 300.0
"""Seconds between two looks, and without work before a worker goes."""
LONGEST_PAUSE = 300.0
LEASE, RENEW = 60.0, 15.0
"""Seconds for which others wait for a follower that was killed, beside the time between two looks;
and after which one that changes the number says that it is still there."""
NEVER_JOINED = 1800.0
"""Seconds after which a worker that the head does not know counts as one without work."""
AT_END = (UsageError, NeedsConfirmationError, AccessError)
"""What another try does not mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The number of workers as it was and is, what the work needs, and what all of it costs now.

    ``held`` is why there are not as many as the work needs: what would stop them at once.
    """

    name: str
    before: int
    workers: int
    needed: int
    wish: Range
    went: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    held: str = ""
    costs: str = ""


@dataclass(slots=True)
class Follower:
    """One who follows a name; ``who`` is how the head and others know it."""

    session: Session
    name: str
    quiet: float = QUIET
    every: float = EVERY
    who: str = field(default_factory=lambda: f"{_user()}@{socket.gethostname()} ({os.getpid()})")
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    renew: float = RENEW
    _looked: bool = False

    def once(self) -> Change | None:
        """Look, and change the number if the work needs it; None where the head does not run.

        Raises BusyError where somebody else follows; RoostError.
        """
        cloud, state, spec, wish = self._observed()
        from roost.app.ranges import head_runs, rented_workers
        from roost.plan.follow import decide, needed_for, never

        if not head_runs(state):
            return None
        self._agree(cloud, spec, state, wish)
        way, machine = self._way(cloud, state), _machine(cloud, spec, state)
        work = self._work(way, machine.cpus)
        there = rented_workers(state)
        needed = needed_for(work, machine, wish.maximum)
        space = self._room(work, spec, state)
        decision = decide(wish, there, needed, self._idle(work, state), space, work.down)
        extend = command_line("roost", "extend", self.name, *space.mend)
        change = Change(
            name=self.name,
            before=len(there),
            workers=len(there),
            needed=needed,
            wish=wish,
            never=tuple(never(work, machine, wish.maximum)),
            held=f"{space.why}; for more: {extend}" if decision.held else "",
        )
        if decision.count == len(there):
            return change
        with self._holding(way):
            return self._change(cloud, way, decision, change, work)

    def forever(self) -> Iterator[Change]:
        """Yield each look's change, until the head does not run; go on after what may pass.

        Raises UsageError, NeedsConfirmationError, AccessError; says what is left at Ctrl-C.
        """
        from roost.app.left import tell_costs
        from roost.app.resolve import locate

        failures = 0
        try:
            while True:
                pause, change = min(self.every * 2**failures, LONGEST_PAUSE), None
                try:
                    change = self.once()
                except AT_END as error:
                    tell_costs(error, locate(self.session, self.name), self.name)
                    raise
                except RoostError as error:
                    failures = min(failures + (not isinstance(error, BusyError)), 10)
                    self.session.warn(f"{error.what}; another look in {pause:.0f} s")
                else:
                    if change is None:
                        return
                    pause, failures = self.every, 0
                    yield change
                self._wait(pause)
        finally:
            self.release()

    def _wait(self, seconds: float) -> None:
        """Wait for the next look; at Ctrl-C say what is left, and what it costs."""
        from roost.app.cost import rate_now
        from roost.app.lifecycle import summary
        from roost.app.resolve import locate

        try:
            self.sleep(seconds)
        except KeyboardInterrupt:
            cloud = locate(self.session, self.name)
            state = cloud.observe(self.name)
            self.session.say(
                f"\nleft as it is: {summary(state)}; it costs {rate_now(cloud, state)}"
            )
            scale, down = (command_line("roost", *w, self.name) for w in (("scale",), ("down",)))
            self.session.say(f"  `{scale} 0` ends the workers, `{down}` all of it")
            raise

    def most(self) -> str:
        """Return what all of it costs with the most workers of the range."""
        from roost.app.ranges import with_most

        cloud, state, spec, _ = self._observed()
        return with_most(cloud, spec, state)

    def release(self) -> None:
        """Let others follow at once; where that cannot be said, they wait for a few looks."""
        if not self._looked:
            return
        try:
            cloud, state, _, _ = self._observed()
            _ask(self._way(cloud, state), "release", self.who)
        except RoostError as error:
            self.session.say(f"others can follow in a minute ({error.what})")

    # --- one look ----------------------------------------------------------------------------

    def _observed(self) -> tuple[Cloud, State, Cluster, Range]:
        """Return what is there, and the range. Raises UsageError where nothing is followed here."""
        from roost.app.owner import check_owner
        from roost.app.ranges import range_in
        from roost.app.resolve import locate, recorded

        cloud = locate(self.session, self.name)
        spec, state = recorded(cloud, self.name)
        if spec.kind != "cluster":
            raise UsageError(f"{self.name} is a {spec.kind}; only a cluster has workers")
        if not cloud.can.rents:
            raise UsageError(
                f"{self.name} is on your own machine, where the cluster follows its work by itself",
                next=command_line("roost", "scale", self.name, "0..8"),
            )
        check_owner(self.session, cloud, state)
        wish = range_in(cloud, state)
        if wish is None:
            raise UsageError(
                f"the number of workers of {self.name} does not follow the work",
                next=command_line("roost", "scale", self.name, "0..8"),
            )
        return cloud, state, spec, wish

    def _agree(self, cloud: Cloud, spec: Cluster, state: State, wish: Range) -> None:
        """Ask for the most that it can cost, where that was agreed to on another computer."""
        from roost.app.given import agree, agreed
        from roost.app.price_rise import agree_on_workers
        from roost.app.ranges import rented_workers
        from roost.app.resolve import fitted

        if agreed(cloud, state):
            return
        counts = (len(rented_workers(state)), wish.maximum)
        now, most = (fitted(cloud, spec.with_workers(count=n), state) for n in counts)
        agree_on_workers(self.session, cloud, now, most, at_most=True)
        assert state.record is not None
        agree(cloud, self.name, state.record)

    def _way(self, cloud: Cloud, state: State) -> Connection:
        from roost.app.connect import connected

        return connected(self.session, cloud, state, "head")

    def _work(self, way: Connection, cpus: int) -> Work:
        """Return what the head says. Raises BusyError where another one follows, RoostError."""
        from roost.plan.follow import read_work

        self._looked = True
        lease = f"{self.every + LEASE:.0f}"
        work = read_work(_ask(way, "look", self.who, lease, str(max(1, cpus))))
        if work is None:
            raise RoostError("head gave an answer that roost does not understand")
        if work.follower:
            raise BusyError(
                f"{work.follower} follows {self.name} already; if that one is gone, another can"
                f" in {work.lease:.0f} s"
            )
        return work

    @contextmanager
    def _holding(self, way: Connection) -> Iterator[None]:
        """Let nobody else begin to follow while machines are made and set up, which takes minutes.

        It is said again and again, so that others can go on soon after this process was killed.
        """
        over = threading.Event()

        def hold() -> None:
            while True:
                with suppress(RoostError):  # the head may be away for a moment
                    _ask(way, "hold", self.who, f"{LEASE:.0f}", seconds=RENEW)
                if over.wait(self.renew):
                    return

        renewing = threading.Thread(target=hold, daemon=True)
        renewing.start()
        try:
            yield
        finally:
            over.set()
            renewing.join()  # what it says last comes before the name is released

    def _room(self, work: Work, spec: Cluster, state: State) -> Room:
        """Return the room for workers by the limits that the head holds to, or else the file's."""
        from roost.model.limits import Limits
        from roost.plan.follow import room
        from roost.recipes.rented import rates_of

        limits = work.limits or Limits(end=spec.schedule.end)
        rates = rates_of(spec, {i.role: i.shape.type for i in state.instances})
        now = work.now or datetime.fromtimestamp(self.wall(), UTC)
        running, worker = (rates.running, rates.worker) if rates else (0.0, 0.0)
        return room(limits, now, running, worker)

    def _idle(self, work: Work, state: State) -> dict[str, float]:
        """Return who may go: without work for long, or never seen by the head."""
        now = self.wall()
        strangers = {
            i.name: now - i.started
            for i in state.instances
            if i.role == "worker" and i.name not in work.known and i.started
        }
        quiet = {name: since for name, since in work.free.items() if since >= self.quiet}
        return quiet | {n: since for n, since in strangers.items() if since >= NEVER_JOINED}

    def _change(
        self, cloud: Cloud, way: Connection, decision: Decision, change: Change, work: Work
    ) -> Change:
        """Do what was decided. Who goes gets no work from now on; who got some meanwhile stays."""
        from roost.app.cost import rate_now
        from roost.app.ranges import rented_workers
        from roost.app.scale import scale

        going = decision.drop
        if leaving := sorted(going & work.known):
            closed = _closed(_ask(way, "close", *leaving))
            going = (going - work.known) | (closed & going)
        count = decision.count + len(decision.drop) - len(going)
        if count == change.before:
            return change
        running = scale(self.session, self.name, count, going, for_work=True)
        if running.problem is not None:
            self.session.warn(running.problem.what)
        there = len(rented_workers(running.state))
        costs = rate_now(cloud, running.state)
        return replace(change, workers=there, went=tuple(sorted(going)), costs=costs)


def _machine(cloud: Cloud, spec: Cluster, state: State) -> Machines:
    """Return what a worker is: those that are there, or the file's."""
    from roost.app.resolve import fitted
    from roost.plan.follow import Machines

    shapes = [i.shape for i in state.instances if i.role == "worker" and i.shape.cpus]
    if not shapes:
        shapes = [g.shape for g in fitted(cloud, spec, state).groups if g.role == "worker"]
    return Machines(shapes[0].cpus, shapes[0].memory_gib)


def _ask(way: Connection, *words: str, seconds: float = 90) -> str:
    from roost.ssh.query import asked

    return asked(way, ["sudo", "-n", RUN, "work", *words], seconds=seconds)


def _closed(text: str) -> frozenset[str]:
    """Return the workers that the head lets go; none where its answer cannot be read."""
    import json

    try:
        found = json.loads(text[:1_000_000])["closed"]
        return frozenset(one for one in found if isinstance(one, str))
    except (ValueError, LookupError, TypeError):
        return frozenset()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name
        return str(os.getuid())
