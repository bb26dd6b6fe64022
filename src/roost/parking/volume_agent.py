"""The work of parking on the machines themselves, however they are reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from roost.model.resources import S3Copy, State, Volume
from roost.plan.backups import s3_copy_of

MOST_AT_ONCE = 24
"""Machines at work at the same time."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The copies that were verified, and why the others were not: ``troubles`` by volume."""

    copies: tuple[S3Copy, ...] = ()
    troubles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listed:
    """The result of comparing S3's listing with recorded copies.

    ``complete`` are the volumes whose objects are all there; ``troubles`` says what is wrong with
    others, by volume. ``changed`` are those of the troubles in which each object is there with its
    size, and may be another one: that proves nothing, and coming back compares the content anyway.
    ``refused`` says why nobody here could look: nothing is known of those.
    ``entries`` counts the files and folders of those that are complete.
    """

    complete: frozenset[str] = frozenset()
    troubles: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    entries: Mapping[str, int] = field(default_factory=dict)
    changed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRules:
    """What a bucket does with objects by itself, as far as it says so.

    ``deletes`` are the rules that would delete objects of the place, ``moves`` those that would
    move them where they are not at hand; in words. ``versioned`` None: unknown. ``unknown`` says
    why rules are not known.
    """

    place: str
    deletes: tuple[str, ...] = ()
    moves: tuple[str, ...] = ()
    versioned: bool | None = None
    unknown: str = ""


class VolumeAgent(Protocol):
    """The work on the machines that hold the volumes."""

    def send(self, state: State, volumes: tuple[Volume, ...]) -> Mapping[str, str]:
        """Copy volumes to S3 while programs go on. Returns why one could not be, by volume."""
        ...

    def verify(self, state: State, volumes: tuple[Volume, ...]) -> Verified:
        """Stop all writing to volumes, and compare every file with its copy in S3.

        All volumes of a machine, or none: where one cannot be verified, writing is allowed again.
        """
        ...

    def fill(self, state: State, volume: Volume, copy: S3Copy) -> None:
        """Restore a volume from S3. Raises PartlyDoneError where a part of it is missing."""
        ...

    def free(self, state: State) -> None:
        """Allow writing again where a park was interrupted."""
        ...

    def list_copies(self, copies: tuple[S3Copy, ...]) -> Listed:
        """Compare what S3 lists now with recorded copies: names, sizes, and times."""
        ...

    def bucket_rules(self, places: tuple[str, ...]) -> tuple[BucketRules, ...]:
        """Return what the buckets of these places do with objects by themselves."""
        ...


def s3_place(root: str, state: State, volume: Volume) -> str:
    """Return the prefix in S3 for a volume: that of its last copy, so that only changes are sent.

    The first copy gets a prefix of its own, by the volume's id: whatever else is there, of another
    account or of a name that no longer exists, is never mistaken for it.
    """
    below = f"{root.rstrip('/')}/{state.name}/{volume.name}/"
    known = s3_copy_of(volume.name, state)
    if known is not None and known.place.startswith(below):
        return known.place
    return f"{below}{volume.id}/"
