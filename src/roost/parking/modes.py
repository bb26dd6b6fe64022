"""The ways to park a data volume: words for every layer, so this module imports none of them."""

from __future__ import annotations

from enum import StrEnum


class ParkMode(StrEnum):
    """The ways to park a data volume, from the most at hand to nothing left.

    `cost/parking.py` has the price of each.
    """

    KEEP = "keep"
    SNAPSHOT = "snapshot"
    ARCHIVE = "archive"
    S3 = "s3"
    DISCARD = "discard"

    @property
    def summary(self) -> str:
        """Return what remains, and what that means for the price, in a few words."""
        return _SUMMARIES[self]

    @property
    def is_snapshot(self) -> bool:
        """Return whether the volume becomes a snapshot, in whichever tier."""
        return self in (ParkMode.SNAPSHOT, ParkMode.ARCHIVE)

    @property
    def needs_all_data(self) -> bool:
        """Return whether it makes a copy, and so needs all of the data on the volume."""
        return self not in (ParkMode.KEEP, ParkMode.DISCARD)


_SUMMARIES = {
    ParkMode.KEEP: "stopped; volumes and disks stay",
    ParkMode.SNAPSHOT: "only blocks that were written are stored",
    ParkMode.ARCHIVE: "a full copy; takes up to 72 h to bring back",
    ParkMode.S3: "requests are not counted",
    ParkMode.DISCARD: "machines and disks are gone",
}
