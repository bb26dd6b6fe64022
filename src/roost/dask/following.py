"""Rented workers that follow the work for as long as a program wants it: what ``adapt`` returns."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from roost.app.follow import EVERY, QUIET, Follower
from roost.app.ranges import range_in, rented_workers
from roost.app.resolve import existing, locate
from roost.cli.text.follow import Lines
from roost.errors import RoostError
from roost.notebook.dask.cluster import Following

if TYPE_CHECKING:
    from collections.abc import Callable

    from roost.dask.cluster import RoostCluster
    from roost.notebook.dask.ranges import Range
    from roost.session import Session

AT_END = 10.0
"""Seconds that closing waits for a look that has begun; a change takes as long as it takes."""


class Ended(Exception):  # noqa: N818 - nobody sees it
    """The end of a follower, while it waits for its next look."""


class FarFollowing(Following):
    """``roost follow`` in a thread of this program, which it does not outlive."""

    def __init__(
        self,
        cluster: RoostCluster,
        session: Session,
        wish: Range,
        pace: tuple[float, float],
        first: Callable[[], object] | None,
    ) -> None:
        super().__init__(cluster, wish.minimum, wish.maximum)
        self.session, self.name, self._first = session, cluster.name, first
        every, quiet = max(EVERY, pace[0]), max(QUIET, pace[1])
        self._over = threading.Event()
        self._follower = Follower(session, self.name, every=every, quiet=quiet, sleep=self._sleep)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    @property
    def range(self) -> Range | None:
        """The range that holds now, whoever set it; None where the number stays as it is."""
        cloud = locate(self.session, self.name)
        return range_in(cloud, existing(cloud, self.name))

    @property
    def state(self) -> str:
        """``"running"``, or ``"stopped"`` where this program does not follow the work any more."""
        return "running" if self._thread.is_alive() and not self._over.is_set() else "stopped"

    def stop(self) -> Any:
        """Keep the number of workers as it is now, those that have not joined yet too."""
        cloud = locate(self.session, self.name)
        return self.cluster.scale(len(rented_workers(existing(cloud, self.name))))

    def end(self, patience: float = AT_END) -> None:
        """Follow no more; the workers and the range stay as they are."""
        self._over.set()
        self._thread.join(patience)

    def _sleep(self, seconds: float) -> None:
        if self._over.wait(seconds):
            raise Ended

    def _follow(self) -> None:
        lines = Lines(as_json=False, write=self.session.say)
        try:
            if self._first is not None:
                self._first()
            for change in self._follower.forever():
                lines.show(change)
        except Ended:
            return
        except RoostError as error:
            self.session.warn(f"{self.name} does not follow the work any more: {error.what}")
