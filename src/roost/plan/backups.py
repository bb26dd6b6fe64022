"""The data law: the rules by which a volume may be deleted, or made again from a copy. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeVar

from roost.model.resources import Image, Instance, S3Copy, Snapshot, State, Volume

Copy = TypeVar("Copy", Snapshot, Image)
GOOD = ("pending", "completed")
"""The states of a copy that something can be made from, now or once it is completed."""
SECOND = 1.0
"""Clouds give times in whole seconds."""


def proof(volume: Volume, have: State) -> Snapshot | None:
    """Return the completed snapshot that holds all of a volume's content, or None.

    It was taken while nothing could write, and nothing could write since: the volume is free, or
    its instance is stopped and was not started (nor the volume attached) after the snapshot.
    """
    return next((s for s in sealed(volume, have) if s.state == "completed"), None)


def sealed(volume: Volume, have: State) -> list[Snapshot]:
    """Return the snapshots that hold all of a volume's content, or will once they are completed."""
    quiet = last_write_possible(volume, have)
    if quiet is None:
        return []
    return [
        s
        for s in snapshots_of(volume.name, have)
        if s.source == volume.id and s.sealed and s.state in GOOD and s.taken + SECOND >= quiet
    ]


def proof_in_s3(volume: Volume, have: State) -> S3Copy | None:
    """Return the copy in S3 that holds all of a volume's content, by the same rule; else None."""
    quiet, copy = last_write_possible(volume, have), s3_copy_of(volume.name, have)
    if quiet is None or copy is None or not copy.sealed or copy.source != volume.id:
        return None
    return copy if copy.since >= quiet else None


def pending_restore(volume: Volume, have: State) -> S3Copy | None:
    """Return the copy in S3 from which a volume is still to be filled; None: it is whole.

    Until then the copy is the truth, and the volume is not.
    """
    copy = s3_copy_of(volume.name, have)
    if copy is None or volume.adopted or volume.snapshot or copy.source == volume.id:
        return None
    return copy


def last_writable(volume: Volume, have: State) -> float | None:
    """Return when its machine was started, or the volume attached to it; None: not attached."""
    holder = next((i for i in have.instances if i.name == volume.holder), None)
    if volume.state != "attached" or holder is None:
        return None
    return max(holder.started, volume.attached_at)


def last_write_possible(volume: Volume, have: State) -> float | None:
    """Return the time (seconds) after which nothing could write to it; None: it is in use."""
    if volume.state == "available":
        return 0
    holder = next((i for i in have.instances if i.name == volume.holder), None)
    if volume.state != "attached" or holder is None or holder.state != "stopped":
        return None
    return last_writable(volume, have)


def s3_copy_of(volume: str, have: State) -> S3Copy | None:
    """Return the copy in S3 of the volume of that name."""
    return next((s for s in have.s3_copies if s.name == volume), None)


def snapshots_of(volume: str, have: State) -> list[Snapshot]:
    """Return all snapshots of the volume of that name, the newest first."""
    return _newest_first(s for s in have.snapshots if s.volume == volume)


def images_of(instance: str, have: State) -> list[Image]:
    """Return all images of the instance of that name, the newest first."""
    return _newest_first(i for i in have.images if i.instance == instance)


def saved(instance: Instance, have: State) -> list[Image]:
    """Return the images of a stopped instance's disk as it is now."""
    return [
        image
        for image in images_of(instance.name, have)
        if image.source == instance.id
        and image.state in GOOD
        and image.taken + SECOND >= instance.started
    ]


def source_of(volume: str, have: State) -> Snapshot | S3Copy | None:
    """Return the newest copy of a volume, to make it from again.

    A copy that is not completed yet counts; one that failed or cannot be used does not.
    """
    snapshot = next((s for s in snapshots_of(volume, have) if s.state in GOOD), None)
    stored = s3_copy_of(volume, have)
    if snapshot is None or stored is None:
        return snapshot or stored
    return stored if stored.taken >= snapshot.taken else snapshot


def newest(volume: str, have: State) -> float:
    """Return when the newest of its copies was taken; 0 where it has none."""
    stored = s3_copy_of(volume, have)
    return max([s.taken for s in snapshots_of(volume, have)] + ([stored.taken] if stored else [0]))


def image_of(instance: str, have: State) -> Image | None:
    """Return the newest image of an instance, to make it from again."""
    return next((i for i in images_of(instance, have) if i.state in GOOD), None)


def superseded(
    have: State, listed: Collection[str] | None = None
) -> tuple[list[Snapshot], list[Image]]:
    """Return copies that hold nothing which a newer, completed one lacks; and failed ones.

    With ``listed``, a copy in S3 counts only if its volume is named there.
    """
    old: list[Snapshot] = []
    for name in sorted({s.volume for s in have.snapshots}):
        copies = snapshots_of(name, have)
        best = next((s for s in copies if s.state == "completed" and s.sealed), None)
        stored = s3_copy_of(name, have)
        counts = stored is not None and stored.sealed and (listed is None or name in listed)
        if stored is not None and counts and (best is None or stored.taken >= best.taken):
            ended = [s for s in copies if s.state in ("completed", "failed")]
            old += [s for s in ended if s.taken <= stored.taken]
        else:
            old += _older(copies, best)
    gone: list[Image] = []
    for name in sorted({i.instance for i in have.images}):
        images = images_of(name, have)
        gone += _older(images, next((i for i in images if i.state == "completed"), None))
    return old, gone


def _older(copies: list[Copy], best: Copy | None) -> list[Copy]:
    """Return those that are older than the best, or failed; never one in a doubtful state."""
    if best is None:
        return []
    return [
        copy
        for copy in copies
        if copy is not best
        and copy.state in ("completed", "failed")
        and (copy.state == "failed" or copy.taken <= best.taken)
    ]


def _newest_first(copies: Iterable[Copy]) -> list[Copy]:
    return sorted(copies, key=lambda copy: (copy.taken, copy.name), reverse=True)
