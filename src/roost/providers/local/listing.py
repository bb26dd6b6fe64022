"""The row of `roost ls` for a name on this machine."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from roost.home import folder
from roost.model.record import read_record
from roost.model.resources import State
from roost.model.summary import Followed, Summary, count_workers
from roost.notebook.dask.ranges import read_range


def summary(cloud: str, at: Path, state: State) -> Summary:
    """Return the row of a name below ``at``."""
    place = folder(state.name, at)
    try:
        # Written once, when the name is made.
        created = datetime.fromtimestamp(place.token.stat().st_mtime, UTC)
    except OSError:
        created = None
    wish = read_range(place)
    return Summary(
        name=state.name,
        kind=read_record(state.record).kind,
        cloud=cloud,
        states=dict(Counter(i.state for i in state.instances)),
        created=created,
        follows=Followed.of(
            count_workers(state.instances), (wish.minimum, wish.maximum) if wish else None
        ),
    )
