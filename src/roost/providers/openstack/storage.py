"""The work on disks of a site: adopted volumes; snapshots, images and sizes are still to come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from roost.errors import CloudError, command_line
from roost.model.resources import Volume
from roost.model.steps import (
    Adopt,
    Archive,
    ChangeType,
    CreateImage,
    CreateSnapshot,
    Disown,
    ForgetCopy,
    MarkStale,
    Modify,
    RecordCopy,
    Restore,
    Step,
    describe,
)
from roost.providers.openstack import marks
from roost.providers.openstack.client import Site
from roost.providers.openstack.create import volume_marks
from roost.providers.openstack.memory import Memory

DISK_STEPS = (
    Adopt,
    Archive,
    ChangeType,
    Disown,
    Modify,
    Restore,
    CreateImage,
    CreateSnapshot,
    RecordCopy,
    MarkStale,
    ForgetCopy,
)
"""The steps that are about disks."""


@dataclass(frozen=True, slots=True)
class Disks:
    """The effects of one name; ``memory`` has seen it just now."""

    site: Site
    memory: Memory
    name: str
    users: Mapping[str, str]

    def apply(self, step: Step) -> None:
        """Do a step that is about disks."""
        match step:
            case Adopt(volumes):
                for volume in volumes:
                    self.adopt(volume)
            case Disown(names):
                for one in names:
                    self.disown(self.memory.id(self.name, "volume", one))
            case _:
                raise CloudError(f"{describe(step)}: roost cannot do that on OpenStack yet")

    def adopt(self, volume: Volume) -> None:
        """Adopt a volume of before roost. Raises CloudError where it belongs to another name."""
        found = self.site.get("block-storage", f"/volumes/{volume.id}")["volume"]
        owner = marks.metadata(found).get(marks.NAME, self.name)
        if owner != self.name:
            raise CloudError(
                f"volume {volume.id} belongs to {owner}", next=command_line("roost", "show", owner)
            )
        if found.get("status") != "available":
            raise CloudError(f"volume {volume.id} is {found.get('status')}: it must be free")
        held = {**volume_marks(self.name, volume), marks.ADOPTED: "yes"}
        self.site.post("block-storage", f"/volumes/{volume.id}/metadata", {"metadata": held})
        self.memory.ids["volume", volume.name] = volume.id

    def disown(self, volume_id: str) -> None:
        """Release an adopted volume: remove roost's marks, and change nothing else."""
        found = self.site.get("block-storage", f"/volumes/{volume_id}")["volume"]
        kept = {k: v for k, v in found.get("metadata", {}).items() if not k.startswith("roost")}
        self.site.call(
            "PUT", "block-storage", f"/volumes/{volume_id}/metadata", body={"metadata": kept}
        )
