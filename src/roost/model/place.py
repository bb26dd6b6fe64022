"""Where a name is, as far as whoever asks has said it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A cloud, region and profile of credentials; None: not said."""

    cloud: str | None = None
    region: str | None = None
    profile: str | None = None


NOWHERE = Place()
"""Nothing says where."""
