"""The place to look for a name, as far as the user gave it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A cloud, region and profile of credentials; None: not given."""

    cloud: str | None = None
    region: str | None = None
    profile: str | None = None


NOWHERE = Place()
"""No place given: look everywhere."""
