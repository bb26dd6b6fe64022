"""The work on disks of a site: copies of volumes and boot disks, other sizes, adopted volumes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from roost.errors import CloudError, NotYetError, UsageError, command_line
from roost.model.resources import Instance, Shape, State, Volume
from roost.model.steps import (
    Adopt,
    Archive,
    ChangeType,
    CreateImage,
    CreateSnapshot,
    Delete,
    Disown,
    ForgetCopy,
    MarkStale,
    Modify,
    RecordCopy,
    Restore,
    Step,
    describe,
)
from roost.providers.openstack import copies, marks, s3_copies
from roost.providers.openstack.client import Site
from roost.providers.openstack.create import volume_marks
from roost.providers.openstack.failures import CallError
from roost.providers.openstack.flavors import Flavor
from roost.providers.openstack.memory import Memory
from roost.providers.openstack.resize import Resize

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
EXTENDS_ATTACHED = "volume 3.42"
"""The version of Cinder that makes volumes larger which machines hold."""
COPIES = ("snapshot", "image")
"""The kinds of resources that are copies."""


def is_about_disks(step: Step) -> bool:
    """Tell whether a step is this module's."""
    return isinstance(step, DISK_STEPS) or (isinstance(step, Delete) and step.kind in COPIES)


@dataclass(frozen=True, slots=True)
class Disks:
    """The effects of one name; ``memory`` has seen it just now."""

    site: Site
    memory: Memory
    name: str
    users: Mapping[str, str]
    flavor: Callable[[Shape], Flavor]

    def apply(self, step: Step) -> None:
        """Do a step that is about disks."""
        match step:
            case CreateSnapshot(names):
                self.snap([self._volume(one) for one in names])
            case CreateImage(names):
                self.site.each(lambda one: self.save(self._instance(one)), names)
            case MarkStale(names):
                self.site.each(self._mark_stale, names)
            case Delete(_, names):
                self.site.each(self._delete, names)
            case RecordCopy(made):
                s3_copies.write(self.site, self.memory, self.name, made)
            case ForgetCopy(names):
                s3_copies.forget(self.site, self.memory, names)
            case Archive() | Restore():
                raise UsageError("OpenStack has no colder storage for copies")
            case _:
                self.change(step)

    def change(self, step: Step) -> None:
        """Do a step that is about volumes as they are."""
        match step:
            case Adopt(volumes):
                for volume in volumes:
                    self.adopt(volume)
            case Disown(names):
                for one in names:
                    self.disown(self.memory.id(self.name, "volume", one))
            case Modify(volumes):
                self.site.each(self.modify, volumes)
            case ChangeType(pairs):
                self.site.each(lambda pair: self.resize(*pair), pairs)
            case _:
                raise CloudError(f"{describe(step)}: roost cannot do that on OpenStack yet")

    # --- copies ------------------------------------------------------------------------------

    def snap(self, volumes: list[Volume]) -> None:
        """Begin copies of volumes. Raises NotYetError for those that a machine holds still.

        Only a volume that nothing holds is copied: it is detached from its machine, which is off.
        """
        self._look_for_copies()
        held = [one for one in volumes if one.state == "attached"]
        self.site.each(self._detach, held)
        self.site.each(self._copy, [one for one in volumes if one.state == "available"])
        if held:
            names = ", ".join(one.name for one in held)
            raise NotYetError(f"volume {names} is copied once no machine holds it")

    def _detach(self, volume: Volume) -> None:
        holder = self._instance(volume.holder)
        if holder.state != "stopped":
            raise NotYetError(f"volume {volume.name} is copied once {holder.name} is off")
        self.site.delete("compute", f"/servers/{holder.id}/os-volume_attachments/{volume.id}")

    def _copy(self, volume: Volume) -> None:
        """Begin a copy; Cinder hands the marks of the volume's image on to the image it makes."""
        path = f"/volumes/{volume.id}/action"
        held = copies.marks_of_volume(self.name, volume)
        self.site.post("block-storage", path, {"os-set_image_metadata": {"metadata": held}})
        asked = {
            "image_name": f"{self.name}-{volume.name}",
            "disk_format": "raw",
            "container_format": "bare",
            "force": False,
        }
        self.site.post("block-storage", path, {"os-volume_upload_image": asked})

    def save(self, instance: Instance) -> None:
        """Begin an image of a stopped machine's boot disk, or keep that which Nova made."""
        self._look_for_copies()
        described = self.memory.by_id("instance", instance.id)
        held = copies.marks_of_disk(self.name, instance)
        if not isinstance(described.get("image"), dict):
            raise self._cannot_save(instance, "it boots from a volume")
        if described.get("status") == "SHUTOFF":
            asked = {"name": f"{self.name}-{instance.name}", "metadata": held}
            self.site.post("compute", f"/servers/{instance.id}/action", {"createImage": asked})
        elif described.get("status") == "SHELVED_OFFLOADED":
            self._keep_shelved(instance, held)
        else:
            raise NotYetError(f"the disk of {instance.name} is saved once it is off")

    def _keep_shelved(self, instance: Instance, held: Mapping[str, str]) -> None:
        """Keep the image that Nova made as it shelved: a machine that is off its host has no disk.

        Nova deletes it with its server, unless it is protected.
        """
        asked = [("instance_uuid", instance.id), ("owner", self.site.project)]
        every = self.site.every("image", "/images", "images", asked)
        shelved = [
            one
            for one in every
            if one.get("instance_uuid") == instance.id
            and str(one.get("name")).endswith("-shelved")
            and one.get("status") == "active"
            and marks.seconds(one.get("created_at")) + 1 >= instance.started
        ]
        if not shelved:
            raise self._cannot_save(instance, "it is shelved, and its image is not to be seen")
        newest = max(shelved, key=lambda one: str(one.get("created_at")))
        changes = [{"op": "add", "path": f"/{key}", "value": text} for key, text in held.items()]
        changes.append({"op": "replace", "path": "/protected", "value": True})  # type: ignore[dict-item]
        self.site.call("PATCH", "image", f"/images/{newest['id']}", body=changes)

    def _cannot_save(self, instance: Instance, why: str) -> CloudError:
        keep = command_line("roost", "park", self.name, "--mode", "keep")
        return CloudError(
            f"the disk of {instance.name} cannot be saved here: {why}; nothing was deleted",
            next=f"{keep}   (keeps the machine, off, with its volumes)",
        )

    def _mark_stale(self, image: str) -> None:
        change = [{"op": "add", "path": f"/{marks.SEALED}", "value": "no"}]
        self.site.call("PATCH", "image", f"/images/{image}", body=change)

    def _delete(self, image: str) -> None:
        copies.delete(self.site, image, self.memory.by_id("image", image))

    def _look_for_copies(self) -> None:
        """Have the next look ask for copies."""
        self.memory.ids["image", ""] = ""

    def _volume(self, name: str) -> Volume:
        volumes = self.memory.state.volumes if self.memory.state else ()
        return next(v for v in volumes if v.name == name)

    def _instance(self, name: str) -> Instance:
        instances = (self.memory.state or State(name=self.name)).instances
        found = next((i for i in instances if i.name == name), None)
        if found is None:
            raise NotYetError(f"{self.name} has no instance {name}")
        return found

    # --- volumes -----------------------------------------------------------------------------

    def resize(self, name: str, flavor: str) -> None:
        """Give a machine that is off another flavor."""
        one = self._instance(name)
        Resize(self.site, self.flavor).run(name, one.id, replace(one.shape, type=flavor))
        self.memory.resized.discard(one.id)

    def modify(self, volume: Volume) -> None:
        """Make a volume larger, or another type; what the site refuses is noted at the volume."""
        now, path = self._volume(volume.name), f"/volumes/{volume.id}/action"
        try:
            if volume.size_gib > now.size_gib:
                larger = {"os-extend": {"new_size": int(volume.size_gib)}}
                version = EXTENDS_ATTACHED if volume.state == "attached" else ""
                self.site.post("block-storage", path, larger, version)
            if volume.type != now.type:
                # One that moves to another store must be free for that.
                moves = "on-demand" if volume.state == "available" else "never"
                asked = {"new_type": volume.type, "migration_policy": moves}
                self.site.post("block-storage", path, {"os-retype": asked})
        except CallError as error:
            if "greater than current size" in error.said:
                raise NotYetError(f"volume {volume.name} is larger already") from error
            if error.status == 400 and volume.type != now.type and self._is_changing(volume):
                raise NotYetError(f"volume {volume.name} is being changed already") from error
            if error.kind not in ("old site", "access", "other"):
                raise
            self.memory.unchanged[volume.id] = f"this site does not change it: {error.said[:200]}"

    def _is_changing(self, volume: Volume) -> bool:
        """Tell whether what was asked is under way, or the type is there since the last look."""
        now = self.site.get("block-storage", f"/volumes/{volume.id}")["volume"]
        free = now.get("status") in ("available", "in-use")
        return not free or now.get("volume_type") == volume.type

    def adopt(self, volume: Volume) -> None:
        """Adopt a volume that was there before. Raises CloudError where it is another name's."""
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
