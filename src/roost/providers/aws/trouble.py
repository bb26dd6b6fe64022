"""The fate of copies that a record names and a look by tags does not show. Two calls at most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from roost.errors import command_line
from roost.model.resources import Backup
from roost.providers.aws import tags
from roost.providers.aws.client import Calls

MOST = 200
"""Values that EC2 takes in one filter."""


def of(calls: Calls, missed: Iterable[Backup]) -> dict[str, str]:
    """Return what became of each, by its id, with the command that brings it back if any does."""
    backups = list(missed)
    snapshots = [b.id for b in backups if b.kind == "snapshot"]
    images = [b.id for b in backups if b.kind == "image"]
    there: dict[str, Mapping[str, Any]] = {}
    for at in range(0, len(snapshots), MOST):
        mine = [{"Name": "snapshot-id", "Values": snapshots[at : at + MOST]}]
        found = calls.every("describe_snapshots", "Snapshots", OwnerIds=["self"], Filters=mine)
        there |= {one["SnapshotId"]: one for one in found}
    for at in range(0, len(images), MOST):
        mine = [{"Name": "image-id", "Values": images[at : at + MOST]}]
        asked = {"Owners": ["self"], "IncludeDisabled": True, "Filters": mine}
        found = calls.every("describe_images", "Images", **asked)
        there |= {one["ImageId"]: one for one in found}
    return {b.id: _fate(b, there.get(b.id)) for b in backups}


def _fate(backup: Backup, described: Mapping[str, Any] | None) -> str:
    if described is None and backup.kind == "snapshot":
        back = command_line(
            *("aws", "ec2", "restore-snapshot-from-recycle-bin", "--snapshot-id", backup.id)
        )
        return f"was deleted (if the Recycle Bin has it: `{back}`)"
    if described is None:
        back = command_line("aws", "ec2", "restore-image-from-recycle-bin", "--image-id", backup.id)
        return f"was deregistered (if the Recycle Bin has it: `{back}`)"
    state = described["State"]
    if state == "disabled":
        back = command_line("aws", "ec2", "enable-image", "--image-id", backup.id)
        return f"was disabled (`{back}` enables it)"
    if state == "recoverable":
        back = command_line(
            *("aws", "ec2", "restore-snapshot-from-recycle-bin", "--snapshot-id", backup.id)
        )
        return f"is in the Recycle Bin (`{back}`)"
    if tags.NAME not in tags.read(described.get("Tags")):
        return "is there, and somebody has removed its tags: roost cannot know it by them"
    return f'is in the state "{state}"'
