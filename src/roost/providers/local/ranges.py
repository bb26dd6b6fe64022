"""The range in which a cluster's number of workers follows the work, kept beside its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from roost.home import folder
from roost.notebook.dask.ranges import Range, read_range, write_range


@dataclass(frozen=True, slots=True)
class Ranges:
    """Fulfils ``roost.providers.provider.Following`` with a file of each name below ``at``."""

    at: Path

    def range_of(self, name: str) -> Range | None:
        """Return the range; None where the number stays as it is."""
        return read_range(folder(name, self.at))

    def follow(self, name: str, wish: Range | None) -> None:
        """Keep the range, or that there is none."""
        write_range(folder(name, self.at), wish)
