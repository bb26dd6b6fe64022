"""The range in which a cluster's number of workers follows the work, in a file beside its name.

Read and written by what runs in milliseconds, and by the scheduler, which acts on it (``follow``).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from roost.home import Folder, write_private

EVERY, QUIET, TARGET = 1.0, 3, 5.0
"""Dask's own pace of adaptive scaling."""
TICK = 0.2
"""Seconds between two looks at the file: the work is looked at no more often."""
LONGEST = 100
"""Characters of who said so."""
MOST = 10_000
"""Workers, of a range without an end of its own."""
THE_WORK = "the work"
"""Who asks where the cluster itself does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The range of the number of workers, and who said so.

    ``every`` seconds the work is looked at; a worker goes after ``quiet`` looks that found too
    many. Fewer seconds in ``target`` mean more workers for the same work. The defaults are Dask's.
    """

    minimum: int
    maximum: int
    by: str
    every: float = EVERY
    quiet: int = QUIET
    target: float = TARGET

    def hold(self, count: int) -> int:
        """Return the number of the range that is nearest to ``count``."""
        return max(self.minimum, min(self.maximum, count))


def read_range(place: Folder) -> Range | None:
    """Return the range that the number follows the work in; None where it stays as it is."""
    try:
        found = Range(**json.loads(place.range.read_text()))
        numbers = (found.minimum, found.maximum, found.every, found.quiet, found.target)
        right = all(isinstance(one, int | float) for one in numbers)
        return found if right and 0 <= found.minimum <= found.maximum <= MOST else None
    except (OSError, ValueError, TypeError):
        return None


def range_of(minimum: int, maximum: int, by: str, pace: tuple[float, int, float]) -> Range:
    """Return the range with its pace: ``every``, ``quiet`` and ``target``, bounded."""
    every, quiet, target = pace
    return Range(
        minimum=minimum,
        maximum=maximum,
        by=by[:LONGEST],
        every=min(max(every, TICK), 3600.0),
        quiet=min(max(quiet, 1), MOST),
        target=min(max(target, 0.01), 86_400.0),
    )


def write_range(place: Folder, wish: Range | None) -> None:
    """Keep the range, or that there is none."""
    if wish is None:
        place.range.unlink(missing_ok=True)
    else:
        write_private(place.range, json.dumps(asdict(wish)))
