"""The classes that somebody looks at: a look at the cloud now and then, and one watch of all seats.

A wall works only while it is looked at: some seconds after its last viewer has gone, the ssh to the
gateway ends, and with it all looks at the seats.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Thread
from typing import TYPE_CHECKING, Protocol

from roost.app.wall import Overview, overview, watch
from roost.errors import RoostError
from roost.page.tiles import Heard, Moment, Seen, Tile, tile

if TYPE_CHECKING:
    from roost.app.wall import Roster
    from roost.model.glance import Glance, Picture
    from roost.session import Session

LINGER = 15.0
"""Seconds for which a wall goes on without a viewer, as when a page is reloaded."""
LOOK_SECONDS = 15.0
TURN = 0.5
RETRY = 3.0
DEAF = 12.0
"""Seconds without a word of any seat after which the way there is made anew."""
PATIENCE = 60.0
MOST = 20


class Watching(Protocol):
    """What tells of all seats, until it is closed."""

    def ask(self, roster: Roster) -> None:
        """Look at these seats from now on."""

    @property
    def ended(self) -> str | None:
        """Return why it has ended; None while it is at work."""

    def close(self) -> None:
        """End it."""


@dataclass(frozen=True, slots=True)
class View:
    """A wall as it is shown: its tiles, each with the version since which it is so."""

    of: Overview
    tiles: tuple[tuple[int, Tile], ...]
    version: int
    problem: str = ""


class Wall:
    """One class that somebody looks at."""

    def __init__(
        self,
        look: Callable[[], Overview],
        begin: Callable[[Overview, Callable[[Glance], None]], Watching],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look, self._begin, self._clock = look, begin, clock
        self._changed = Condition()
        self._of: Overview | RoostError | None = None
        self._heard: dict[str, Heard] = {}
        self._pictures: dict[str, Picture] = {}
        self._tiles: dict[str, tuple[int, Tile]] = {}
        self._version, self._problem = 0, ""
        self._wanted_at, self._looked_at = clock(), -LOOK_SECONDS
        self._thread: Thread | None = None

    def view(self) -> View | RoostError:
        """Return what is shown now; at first, wait for the cloud. It goes on for a while then."""
        self.keep()
        with self._changed:
            self._changed.wait_for(lambda: self._of is not None, PATIENCE)
            if self._of is None:
                return RoostError("the cloud does not answer")
            if isinstance(self._of, RoostError):
                return self._of
            self._draw(self._of)
            tiles = tuple(self._tiles.values())
            return View(self._of, tiles, self._version, self._problem)

    def keep(self) -> None:
        """Somebody looks."""
        with self._changed:
            self._wanted_at = self._clock()
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._work, daemon=True)
                self._thread.start()

    def version(self) -> int:
        """Return a number that is another one when there is something new to show."""
        with self._changed:
            if isinstance(self._of, Overview):
                self._draw(self._of)
            return self._version

    def picture(self, seat: str) -> Picture | None:
        """Return the last picture of a seat."""
        return self._pictures.get(seat)

    def forget(self) -> None:
        """Ask the cloud anew: something was changed."""
        self._looked_at = -LOOK_SECONDS

    # --- what it does while somebody looks --------------------------------------------------------

    def _work(self) -> None:
        at_work: Watching | None = None
        begun = 0.0
        while (now := self._clock()) - self._wanted_at < LINGER:
            if now - self._looked_at >= LOOK_SECONDS:
                self._look_once()
                if at_work is not None and isinstance(self._of, Overview):
                    at_work.ask(self._of.roster)
            at_work = self._checked(at_work, begun)
            if at_work is None and self._may_watch() and self._clock() - begun >= RETRY:
                begun, at_work = self._clock(), self._watch()
            time.sleep(TURN)
        if at_work is not None:
            at_work.close()

    def _look_once(self) -> None:
        self._looked_at = self._clock()
        try:
            found: Overview | RoostError = self._look()
        except RoostError as error:
            found = error
        with self._changed:
            self._of = found
            self._version += 1
            self._changed.notify_all()

    def _may_watch(self) -> bool:
        return isinstance(self._of, Overview) and self._of.looks and bool(self._of.roster)

    def _watch(self) -> Watching | None:
        assert isinstance(self._of, Overview)
        try:
            made = self._begin(self._of, self._hear)
        except RoostError as error:
            self._say(error.what)
            return None
        made.ask(self._of.roster)
        return made

    def _checked(self, at_work: Watching | None, begun: float) -> Watching | None:
        """Close a watch that has ended, or that tells nothing any more."""
        if at_work is None:
            return None
        last = max((one.at for one in self._heard.values()), default=0.0)
        why = at_work.ended
        if why is None and self._clock() - max(last, begun) > DEAF and self._may_watch():
            why = "the gateway does not answer"
        if why is None:
            return at_work
        self._say(f"the seats cannot be looked at: {why}")
        at_work.close()
        return None

    def _hear(self, glance: Glance) -> None:
        with self._changed:
            if not isinstance(self._of, Overview) or glance.seat not in self._of.roster:
                return
            before = self._heard.get(glance.seat)
            ever = not glance.miss or (before is not None and before.ever)
            self._heard[glance.seat] = Heard(glance, self._clock(), ever)
            if glance.picture is not None:
                self._pictures[glance.seat] = glance.picture
        self._say("")

    def _say(self, problem: str) -> None:
        with self._changed:
            if problem != self._problem:
                self._problem = problem
                self._version += 1

    def _draw(self, of: Overview) -> None:
        """Make all tiles anew; one that is another than before gets the next version."""
        instances = {one.name: one for one in of.state.instances}
        now, fresh = Moment(self._clock(), time.time()), {}
        for number in range(1, of.spec.machines + 1):
            seat = f"seat-{number}"
            picture = self._pictures.get(seat)
            seen = Seen(
                seat=seat,
                instance=instances.get(seat),
                heard=self._heard.get(seat),
                person=of.people.at(seat),
                spare=number > of.spec.seats,
                mark=picture.mark if picture is not None else "",
            )
            made = tile(seen, now, watched=of.looks)
            before = self._tiles.get(seat)
            if before is None or before[1] != made:
                self._version += 1
                fresh[seat] = (self._version, made)
            else:
                fresh[seat] = before
        self._tiles = fresh


class Walls:
    """All classes that were looked at on this page."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._all: dict[str, Wall] = {}

    def of(self, name: str) -> Wall:
        """Return the wall of a class; the oldest goes where there are too many."""
        if name not in self._all:
            while len(self._all) >= MOST:
                del self._all[next(iter(self._all))]
            self._all[name] = Wall(
                lambda: overview(self._session, name),
                lambda found, heard: watch(self._session, found, heard),
            )
        return self._all[name]

    def forget(self) -> None:
        """Ask the clouds anew."""
        for one in self._all.values():
            one.forget()
