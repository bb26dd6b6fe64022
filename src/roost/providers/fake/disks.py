"""The content of disks in a cloud in memory: every write is another content, copies keep theirs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from roost.model.resources import Backup, Image, Instance, S3Copy, Snapshot, Volume

DELAY = 2
"""Waits until a copy is completed, or has changed its tier."""


@dataclass(slots=True)
class _Copy:
    """A snapshot or an image, its content, and how many waits it still takes."""

    what: Snapshot | Image
    content: str
    left: int = DELAY


@dataclass(slots=True)
class Disks:
    """Contents by the id of their volume or instance; copies by name and id.

    ``lost`` has the names of volumes that were deleted with content that nothing else holds, or
    made again without it; ``buried`` what was on each volume, by its name, when it was deleted.
    ``bucket`` has what is in S3, by place. Nobody writes to volumes that are ``still`` (mounted
    read-only until their machine starts again) or ``closed`` (not filled yet). ``backups`` are the
    recorded copies of each name.
    """

    lost: list[str] = field(default_factory=list)
    contents: dict[str, str] = field(default_factory=dict)
    buried: dict[str, str] = field(default_factory=dict)
    bucket: dict[str, str] = field(default_factory=dict)
    still: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    backups: dict[str, tuple[Backup, ...]] = field(default_factory=dict)
    _s3_copies: dict[str, dict[str, S3Copy]] = field(default_factory=dict)
    _copies: dict[str, dict[str, _Copy]] = field(default_factory=dict)
    _made: int = 0

    def write(self, ids: Iterable[str]) -> None:
        """Write something new on each of these disks."""
        for one in ids:
            if one not in self.still and one not in self.closed:
                self._made += 1
                self.contents[one] = f"{one} {self._made}"

    def fill(self, name: str, one: str, source: str) -> None:
        """Fill a new disk: blank, or with the content of a copy."""
        copy = self._of(name).get(source)
        self.contents[one] = copy.content if copy else f"blank {one}"

    def bury(self, volume: Volume) -> None:
        """Note that a volume is deleted."""
        self.buried[volume.name] = self.contents[volume.id]
        if not self.is_copied(volume.id):
            self.lost.append(volume.name)

    def begin(self, volume: Volume, one: str) -> None:
        """Note that a volume is made as ``one``; nobody is let in while its data comes from S3."""
        if volume.copy_of:
            self.closed.add(one)
        else:
            self.dig_up(volume.name, one)

    def dig_up(self, volume: str, one: str) -> None:
        """Compare a volume made anew, as ``one``, with its deleted one; note lost content."""
        if self.buried.pop(volume, self.contents[one]) != self.contents[one]:
            self.lost.append(volume)

    def is_copied(self, one: str) -> bool:
        """Tell whether a completed copy has a disk's content, or nothing was ever written to it."""
        content = self.contents[one]
        copies = (c for of_name in self._copies.values() for c in of_name.values())
        return (
            content.startswith("blank")
            or content in self.bucket.values()
            or any(c.content == content and c.what.state == "completed" for c in copies)
        )

    def push(self, volume: str, place: str) -> None:
        """Copy the content of a volume (its id) to S3."""
        self.bucket[place] = self.contents[volume]

    def pull(self, volume: Volume, place: str) -> None:
        """Restore a volume from S3; it may be written to from then on."""
        if volume.id in self.closed:
            self.contents[volume.id] = self.bucket[place]
            self.dig_up(volume.name, volume.id)
            self.closed.discard(volume.id)

    def keep(self, name: str, copies: Iterable[S3Copy]) -> None:
        """Remember that these are in S3."""
        self._s3_copies.setdefault(name, {}).update({copy.name: copy for copy in copies})

    def drop(self, name: str, volumes: Iterable[str]) -> None:
        """Forget that these are in S3."""
        for volume in volumes:
            self._s3_copies.get(name, {}).pop(volume, None)

    def s3_copies_of(self, name: str) -> tuple[S3Copy, ...]:
        """Return the copies that are known to be in S3."""
        return tuple(self._s3_copies.get(name, {}).values())

    def snap(self, name: str, volume: Volume, now: float, *, sealed: bool) -> None:
        """Begin a snapshot; it holds what is on the volume now."""
        self._made += 1
        made = Snapshot(
            name=f"snap-{self._made}",
            volume=volume.name,
            source=volume.id,
            size_gib=volume.size_gib,
            state="pending",
            sealed=sealed,
            taken=now,
        )
        self._of(name)[made.name] = _Copy(made, self.contents[volume.id])

    def save(self, name: str, instance: Instance, now: float) -> None:
        """Begin an image."""
        self._made += 1
        made = Image(
            name=f"ami-{self._made}",
            instance=instance.name,
            type=instance.shape.type,
            source=instance.id,
            state="pending",
            taken=now,
        )
        self._of(name)[made.name] = _Copy(made, self.contents[instance.id])

    def wait(self, name: str) -> None:
        """Advance the copies."""
        for copy in self._of(name).values():
            copy.left -= 1
            if copy.left == 0:
                copy.what = _settled(copy.what)

    def change_snapshots(self, name: str, ids: tuple[str, ...], **changed: Any) -> None:
        """Change snapshots: other tags, another tier."""
        for one in ids:
            copy = self._of(name)[one]
            copy.what = replace(copy.what, **changed)
            copy.left = DELAY

    def delete(self, name: str, ids: tuple[str, ...]) -> None:
        """Delete copies."""
        for one in ids:
            del self._of(name)[one]

    def snapshots_of(self, name: str) -> tuple[Snapshot, ...]:
        """Return all snapshots of a name."""
        return tuple(c.what for c in self._of(name).values() if isinstance(c.what, Snapshot))

    def images_of(self, name: str) -> tuple[Image, ...]:
        """Return all images of a name."""
        return tuple(c.what for c in self._of(name).values() if isinstance(c.what, Image))

    def _of(self, name: str) -> dict[str, _Copy]:
        return self._copies.setdefault(name, {})


def _settled(what: Snapshot | Image) -> Snapshot | Image:
    if isinstance(what, Image):
        return replace(what, state="completed")
    tiers: dict[str, Any] = {"archiving": "archived", "restoring": "standard"}
    return replace(what, state="completed", tier=tiers.get(what.tier, what.tier))
