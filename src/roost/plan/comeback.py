"""Coming back: what is made from which copy, and when nothing may be made at all. Pure."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from roost.model.resources import (
    STATELESS,
    Image,
    Instance,
    S3Copy,
    Snapshot,
    State,
    Volume,
    Wanted,
)
from roost.plan.backups import image_of, source_of
from roost.plan.recorded import lost
from roost.plan.refusal import (
    Refusal,
    refuse_doubles,
    refuse_lost,
    refuse_states,
    refuse_unread,
)
from roost.units import format_size

SYSTEM_SHARE, SYSTEM_LEAST = 0.022, 0.1
"""The part of a volume, and the GiB besides, that ext4 takes for itself.

Measured with mkfs.ext4 -m 0: 5 % of 1 GiB, 2.2 % of 50 GiB, 1.8 % of 500 GiB, 0.8 % of 16 TiB."""
GROWTH = 1.01
"""The same files can take a little more room when they are written anew."""
RESERVED_INODES = 64
BYTES_PER_INODE = 16_384
"""ext4 has one inode for so many bytes, and no more."""


def refusal_of(
    wanted: Wanted, have: State, missing: list[Instance], fresh: frozenset[str]
) -> Refusal | None:
    """Return why nothing may be made: what is there is in doubt, or a copy of it is gone."""
    names = {v.name for v in wanted.volumes}
    there = {v.name for v in have.volumes}
    volumes = [v for v in wanted.volumes if v.name not in there and not v.id]
    gone = [backup for backup in lost(have, volumes, missing) if backup.name not in fresh]
    unknown = [v.name for v in volumes if source_of(v.name, have) is None]
    unknown += [
        i.name for i in missing if i.role not in STATELESS and image_of(i.name, have) is None
    ]
    unread = refuse_unread(have, set(unknown) - fresh)
    return (
        refuse_doubles(have)
        or refuse_states(have, names)
        or unread
        or refuse_lost(have, gone)
        or _refuse_small(have, volumes, fresh)
    )


def bring_back(
    wanted: Wanted, have: State, instances: list[Instance], as_parked: bool
) -> tuple[list[Instance | Volume], list[Snapshot | Image]]:
    """Return the things to create now, from copies where there are any; and copies to wait for.

    Nothing is made empty while a copy of it is on its way. What a lost copy would be needed for is
    made empty: the caller has asked for it (else the plan is refused before).
    """
    there = {v.name for v in have.volumes}
    missing = [v for v in wanted.volumes if v.name not in there and not v.id]
    empty = {backup.name for backup in lost(have, missing, instances)}
    now: list[Instance | Volume] = []
    later: list[Snapshot | Image] = []
    for volume in wanted.volumes:
        if volume.name in there or volume.id:
            continue
        source = None if volume.name in empty else source_of(volume.name, have)
        if source is None:
            now.append(volume)
        elif isinstance(source, S3Copy):
            now.append(_to_fill(volume, source))
        elif source.state == "completed" and source.tier == "standard":
            now.append(_from_snapshot(volume, source))
        else:
            later.append(source)
    for instance in instances:
        image = None if instance.name in empty else image_of(instance.name, have)
        if image is None:
            now.append(instance)
        elif image.state == "completed":
            kind = image.type if as_parked and image.type else instance.shape.type
            shape = replace(instance.shape, image=image.name, type=kind)
            now.append(replace(instance, shape=shape))
        else:
            later.append(image)
    return now, later


def _from_snapshot(volume: Volume, source: Snapshot) -> Volume:
    """Return the volume as the file wants it now, but never smaller than what it held."""
    size = max(volume.size_gib, source.size_gib)
    return replace(volume, snapshot=source.name, size_gib=size)


def _to_fill(volume: Volume, source: S3Copy) -> Volume:
    """Return an empty volume as large as the file asks, for what comes from S3 once it is ready."""
    return replace(volume, copy_of=source.source)


def room_needed(used_gib: float) -> float:
    """Return the least whole GiB of a volume that holds so much, with its file system."""
    return ceil((used_gib * GROWTH + SYSTEM_LEAST) / (1 - SYSTEM_SHARE))


def most_entries(size_gib: float) -> int:
    """Return how many files and folders a new file system of that size can hold."""
    return int(size_gib * 2**30 / BYTES_PER_INODE) - RESERVED_INODES


def entries_room(entries: int) -> float:
    """Return the GiB of a volume that can hold so many files and folders."""
    return (entries + RESERVED_INODES) * BYTES_PER_INODE / 2**30


def _refuse_small(have: State, volumes: list[Volume], fresh: frozenset[str]) -> Refusal | None:
    """Refuse to make a volume smaller than what comes back to it from S3."""
    small: list[tuple[Volume, S3Copy, float]] = []
    for volume in volumes:
        source = source_of(volume.name, have)
        if not isinstance(source, S3Copy) or volume.name in fresh:
            continue
        needed = min(room_needed(source.used_gib), source.size_gib)
        if volume.size_gib < needed:
            small.append((volume, source, needed))
    if not small:
        return None
    texts = [
        f"volume {v.name}: {copy.used_gib:g} GiB come back from {copy.place}, which need"
        f" {format_size(needed)} with the file system, and the file asks for"
        f" {format_size(v.size_gib)}"
        for v, copy, needed in small
    ]
    volume, _, needed = small[0]
    size = f'size = "{format_size(needed)}"'
    return Refusal(
        what="\n  ".join(texts) + "\n  nothing was made",
        exists=tuple(copy.description for copy in have.s3_copies),
        next=f"{size} or more for volume {volume.name} in the file, then: roost up FILE",
    )
