"""Notes for people on all that a plan leaves as it is, and why. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.plan.recorded import is_intact
from roost.units import format_size

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from roost.model.resources import Group, Instance, Shape, State, Wanted

PROCESS = "process"
"""The type of an instance on the user's own machine."""


def notes(wanted: Wanted, have: State, keep: list[Instance]) -> Iterator[str]:
    """Yield what stays though the file says something else; ``keep`` are the instances kept."""
    yield from (one.text for one in have.foreign)
    asked = {v.name: v for v in wanted.volumes}
    for volume in have.volumes:
        if volume.name not in asked:
            yield f"volume {volume.name} is not in the file any more; it is kept"
        elif volume.note and volume.state in ("available", "attached"):
            yield (
                f"volume {volume.name} stays as it is, {format_size(volume.size_gib)}"
                f" {volume.type}: {volume.note}"
            )
        elif asked[volume.name].size_gib < volume.size_gib:
            yield f"volume {volume.name} stays as large as it is: none can be made smaller"
        elif asked[volume.name].size_gib > volume.size_gib:
            yield f"volume {volume.name} cannot be made smaller again"
    yield from _kept_copies(have, asked.keys())
    prints = {group.role: group.fingerprint for group in wanted.groups}
    changed = [i.name for i in keep if i.fingerprint != prints[i.role]]
    if changed:
        local = all(i.shape.type == PROCESS for i in keep)
        then = "stop and up renews them" if local else "only new machines are set up as it says now"
        yield f"set up before the file changed: {', '.join(changed)} ({then})"
    for group in wanted.groups:
        types = (group.shape.type, *group.shape.others)
        other = [i.name for i in keep if i.role == group.role and i.shape.type not in types]
        if other:
            yield f"not {types[0]}, as the file says now: {', '.join(other)} (`roost resize`)"
        yield from _profiles(group, [i for i in keep if i.role == group.role])


def _kept_copies(have: State, asked: Collection[str]) -> Iterator[str]:
    """Yield copies of volumes that the file has no more; also those that somebody has deleted."""
    for name in sorted({s.volume for s in have.snapshots if s.volume not in asked}):
        yield f"the snapshot of volume {name}, not in the file any more, is kept"
    for backup in have.backups:
        if backup.kind == "snapshot" and backup.name not in asked and not is_intact(backup, have):
            yield (
                f"volume {backup.name} is not in the file any more; its copy,"
                f" {backup.description}, {backup.trouble or 'is gone'}"
            )
    for copy in have.s3_copies:
        if copy.name not in asked:
            yield f"volume {copy.name} is not in the file any more; its copy is in {copy.place}"


def _profiles(group: Group, keep: list[Instance]) -> Iterator[str]:
    """Yield machines with another instance profile: one keeps that of its launch."""
    asked = _profile(group.shape)
    other = [i.name for i in keep if _profile(i.shape) != asked]
    if other:
        none = "with an instance profile that the file does not name"
        said = f"without the instance profile {asked}" if asked else none
        then = "new machines follow the file; `roost park` and `roost resume` make these anew"
        yield f"{said}: {', '.join(other)} ({then})"


def _profile(shape: Shape) -> str:
    """Return the name of its instance profile: the file may say the ARN, and EC2 does."""
    return shape.machine_role.rpartition("/")[2]
