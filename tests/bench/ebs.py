"""EBS as moto has it, with what is on the disks: volumes, snapshots, images."""

from __future__ import annotations

import copy
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from moto.ec2 import urls
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend

from tests.aws.strict_images import IMAGE_NAME
from tests.bench.disks import Image
from tests.bench.machine import Attached
from tests.bench.site import Site

log = logging.getLogger("bench")
MOMENT = 1.0
"""So many seconds EC2 takes at least for what a bench does at once."""


def refused(code: str, message: str) -> EC2ClientError:
    """What EC2 says."""
    return EC2ClientError(code, message)


class BenchEbs(EC2Backend):
    """``asked`` has all parameters of the call that is answered now, by their names; ``contents``
    what is in each image, ``booted`` what each instance's disk began as. ``place`` is the region
    that has machines."""

    site: ClassVar[Site]
    place: ClassVar[str]

    def __init__(self, region_name: str, account_id: str) -> None:
        self.lock = threading.RLock()
        self.calls = threading.local()
        self.tokens: dict[str, tuple[str, Any]] = {}
        self.moving: dict[str, str] = {}
        self.contents: dict[str, Image] = {}
        self.booted: dict[str, Image] = {}
        super().__init__(region_name, account_id)

    @property
    def _url_module(self) -> Any:
        """Where moto finds the addresses that this backend answers: at those of its own."""
        return urls

    @property
    def asked(self) -> dict[str, Any]:
        """The parameters of this thread's call; nothing, where moto calls itself."""
        found: dict[str, Any] = getattr(self.calls, "asked", {})
        return found

    def hear(self, asked: dict[str, Any]) -> None:
        """A call begins."""
        self.calls.asked = asked

    def once(self, name: str, do: Callable[[], Any]) -> Any:
        """The same token gives the same answer; with other parameters it is an error."""
        asked = self.asked
        if "ClientToken" not in asked:
            return do()
        key = f"{name} {asked['ClientToken']}"
        text = json.dumps(asked, sort_keys=True, default=str)
        if key in self.tokens:
            before, answer = self.tokens[key]
            if before != text:
                raise refused("IdempotentParameterMismatch", "other parameters, the same token")
            return answer
        answer = do()
        self.tokens[key] = (text, answer)
        return answer

    def later(self, do: Callable[..., None], *args: Any) -> None:
        """In the background; what goes wrong is in the log."""

        def tried() -> None:
            try:
                do(*args)
            except Exception:
                log.exception("%s %s", do.__name__, [getattr(a, "id", a) for a in args])

        threading.Thread(target=tried, daemon=True).start()

    def take_time(self, one: str, state: str, do: Callable[[], None]) -> None:
        """``one`` is in ``state`` until ``do`` is done, and for a moment at least."""
        self.moving[one] = state

        def work() -> None:
            began = time.monotonic()
            try:
                do()
                time.sleep(max(0.0, MOMENT - (time.monotonic() - began)))
            finally:
                self.moving.pop(one, None)

        self.later(work)

    # --- volumes ----------------------------------------------------------------------------

    def create_volume(self, *args: Any, **kw: Any) -> Any:
        """Those that are asked for by a call have a file, and take a moment."""
        if "AvailabilityZone" not in self.asked:
            return super().create_volume(*args, **kw)  # the disk that a machine boots from
        with self.lock:
            return self.once("CreateVolume", lambda: self._create_volume(args, kw))

    def _create_volume(self, args: Any, kw: Any) -> Any:
        source = kw.get("snapshot_id")
        if source is not None:
            copied = self.get_snapshot(source)
            if source in self.moving or copied.storage_tier == "archive":
                raise refused("IncorrectState", f"snapshot {source} is not there to read now")
            if kw.get("size") is not None and int(kw["size"]) < copied.volume_size:
                raise refused("InvalidParameterValue", "the volume is smaller than its snapshot")
        asked = self.calls.asked
        self.calls.asked = {}
        try:
            volume = super().create_volume(*args, **kw)
        finally:
            self.calls.asked = asked
        volume.size = int(volume.size)
        create = self.site.disks.create
        self.take_time(volume.id, "creating", lambda: create(volume.id, volume.size, source))
        return volume

    def modify_volume(self, volume_id: str, target_size: Any = None, *more: Any, **kw: Any) -> Any:
        """Larger at once, also where it is attached."""
        volume = self.get_volume(volume_id)
        if target_size is not None and int(target_size) < volume.size:
            raise refused("InvalidParameterValue", "New size cannot be smaller than existing size")
        if volume_id in self.moving:
            raise refused("IncorrectModificationState", f"{volume_id} is being modified")
        size = int(target_size) if target_size is not None else None
        answer = super().modify_volume(volume_id, size, *more, **kw)
        if size is not None and self.site.disks.file(volume_id).exists():
            self.site.disks.grow(volume_id, size)
        return answer

    def delete_volume(self, volume_id: str) -> Any:
        """With what is on it."""
        if volume_id in self.moving:
            raise refused("IncorrectState", f"{volume_id} is {self.moving[volume_id]}")
        answer = super().delete_volume(volume_id)
        self.site.disks.delete(volume_id)
        return answer

    def attach_volume(self, volume_id: str, instance_id: str, device_path: str, *more: Any) -> Any:
        """Only what is free, in its own zone, to a free device of what runs or is stopped."""
        if "Device" not in self.asked:
            return super().attach_volume(volume_id, instance_id, device_path, *more)
        with self.lock:
            volume, instance = self.get_volume(volume_id), self.get_instance(instance_id)
            if volume_id in self.moving or volume.attachment is not None:
                state = self.moving.get(volume_id, "in-use")
                raise refused("IncorrectState", f"{volume_id} is {state}, not available")
            if volume.zone.name != instance.placement.zone:
                raise refused("InvalidVolume.ZoneMismatch", "not in the same availability zone")
            if instance.state not in ("running", "stopped"):
                raise refused("IncorrectState", f"{instance_id} is {instance.state}")
            if device_path in instance.block_device_mapping:
                raise refused("InvalidParameterValue", f"{device_path} is already in use")
            answer = super().attach_volume(volume_id, instance_id, device_path, *more)
        if instance.state == "running":
            self.site.machines[instance_id].attach(self.plugged(volume, device_path))
        return answer

    def detach_volume(self, volume_id: str, instance_id: str, device_path: str) -> Any:
        """The device goes from the machine."""
        volume = self.get_volume(volume_id)
        held = volume.attachment
        if held is not None and "VolumeId" in self.asked:
            instance = held.instance
            if held.device == instance.root_device_name and instance.state != "stopped":
                raise refused("OperationNotPermitted", "the disk that it boots from")
            if instance.state == "running":
                self.site.machines[instance.id].detach(self.plugged(volume, held.device))
            instance_id = instance.id
        answer = super().detach_volume(volume_id, instance_id, device_path)
        self.site.disks.release(volume_id)
        return answer

    # --- disks of an instance ---------------------------------------------------------------

    def mappings(self, instance: Any) -> dict[str, Any]:
        """Its devices, and what is attached as each."""
        return dict(instance.get_block_device_mapping)

    def data_of(self, instance: Any) -> list[str]:
        """Its volumes without the one that it boots from."""
        return [
            mapping.volume_id
            for device, mapping in self.mappings(instance).items()
            if device != instance.root_device_name
        ]

    def attached(self, instance: Any) -> Iterator[Attached]:
        """Its data volumes, as a machine gets them."""
        for device, mapping in self.mappings(instance).items():
            if device != instance.root_device_name:
                yield self.plugged(self.volumes[mapping.volume_id], device)

    def plugged(self, volume: Any, device: str) -> Attached:
        """A volume as a device."""
        if not self.site.disks.file(volume.id).exists():
            self.site.disks.create(volume.id, volume.size, volume.snapshot_id)
        return Attached(volume.id, device, self.site.disks.loop(volume.id))

    # --- snapshots --------------------------------------------------------------------------

    def create_snapshot(self, volume_id: str, *args: Any, **kw: Any) -> Any:
        """A copy of what is on the volume when it is asked for; of a root disk too."""
        answer = super().create_snapshot(volume_id, *args, **kw)
        if "VolumeId" in self.asked:
            volume = self.get_volume(volume_id)
            held = volume.attachment
            frozen = copy.copy(volume)  # its size may change, the snapshot's does not
            answer.volume = frozen
            if held is not None and held.device == held.instance.root_device_name:
                self._copy_root(answer, held.instance)
            else:
                disks = self.site.disks
                if not disks.file(volume_id).exists():
                    disks.create(volume_id, volume.size, volume.snapshot_id)
                self.take_time(answer.id, "pending", lambda: disks.snapshot(volume_id, answer.id))
        return answer

    def _copy_root(self, snapshot: Any, instance: Any, image: str | None = None) -> None:
        """The layer above the instance's image becomes the snapshot, and an image's first layer."""
        below = self.booted[instance.id].layers

        def work() -> None:
            try:
                made = self.site.disks.snapshot_root(instance.id, snapshot.id)
                if image is not None:
                    self.contents[image] = Image((*made.layers, *below))
            finally:
                if image is not None:
                    self.moving.pop(image, None)

        if image is not None:
            self.moving[image] = "pending"
        self.take_time(snapshot.id, "pending", work)

    def delete_snapshot(self, snapshot_id: str) -> Any:
        """Not that of an image that is there."""
        answer = super().delete_snapshot(snapshot_id)
        self.collect()
        return answer

    def modify_snapshot_tier(self, snapshot_id: str, storage_tier: str) -> Any:
        """To the archive: only what is whole, and it takes a moment."""
        self._whole(snapshot_id, "standard")
        answer = super().modify_snapshot_tier(snapshot_id, storage_tier)
        self._tiering(answer, "archival-in-progress")
        return answer

    def restore_snapshot_tier(self, snapshot_id: str, *args: Any, **kw: Any) -> Any:
        """From the archive."""
        self._whole(snapshot_id, "archive")
        answer = super().restore_snapshot_tier(snapshot_id, *args, **kw)
        self._tiering(answer, "permanent-restore-in-progress")
        return answer

    def _whole(self, snapshot: str, tier: str) -> None:
        found = self.get_snapshot(snapshot)
        if snapshot in self.moving or "in-progress" in (found.last_tiering_operation_status or ""):
            raise refused("IncorrectState", f"{snapshot} is on its way")
        if found.storage_tier != tier:
            raise refused("IncorrectState", f"{snapshot} is in the {found.storage_tier} tier")

    def _tiering(self, snapshot: Any, meanwhile: str) -> None:
        """moto is done at once; EC2 shows the old tier until the end."""
        after = (snapshot.storage_tier, snapshot.last_tiering_operation_status)
        snapshot.storage_tier = "standard" if after[0] == "archive" else "archive"
        snapshot.last_tiering_operation_status = meanwhile

        def work() -> None:
            time.sleep(2 * MOMENT)
            snapshot.storage_tier, snapshot.last_tiering_operation_status = after

        self.later(work)

    def collect(self) -> None:
        """Copies that neither EC2 nor a machine's disk needs any more are deleted."""
        images = [*self.contents.values(), *self.booted.values()]
        needed = {layer for image in images for layer in image.layers}
        place = self.site.disks.copy_file("")
        for found in place.iterdir() if place.is_dir() else ():
            if found.name not in self.snapshots and found not in needed:
                self.site.disks.delete_snapshot(found.name)

    # --- images -----------------------------------------------------------------------------

    def create_image(
        self, instance_id: str, name: str, description: str, tag_specifications: Any
    ) -> Any:
        """Of a machine that is off: a running one would be rebooted for it, which roost never
        wants. Data volumes have to be left out by name, as roost does."""
        with self.lock:
            self._check_name(name)
            instance = self.get_instance(instance_id)
            if instance.state != "stopped":
                raise refused("IncorrectInstanceState", f"{instance_id} is {instance.state}")
            mappings = self.asked.get("BlockDeviceMappings", ())
            left_out = {m["DeviceName"] for m in mappings if "NoDevice" in m}
            kept = {d for d in self.mappings(instance) if d != instance.root_device_name}
            if kept - left_out:
                raise refused("Unsupported", f"the bench copies no data volumes: {kept - left_out}")
            kinds = {one["ResourceType"]: one["Tags"] for one in tag_specifications}
            own = [{"ResourceType": "image", "Tags": kinds.get("image", [])}]
            asked, self.calls.asked = self.calls.asked, {}
            try:
                ami = super().create_image(instance_id, name, description, own)
                self._own_snapshot(ami, instance, kinds.get("snapshot", []))
            finally:
                self.calls.asked = asked
            self._copy_root(ami.ebs_snapshot, instance, ami.id)
            return ami

    def _check_name(self, name: str) -> None:
        if not re.fullmatch(IMAGE_NAME, name):
            raise refused("InvalidAMIName.Malformed", f"AMI name {name} has wrong characters")
        if any(ami.name == name for ami in self.amis.values()):
            raise refused("InvalidAMIName.Duplicate", f"AMI name {name} is already in use")

    def _own_snapshot(self, ami: Any, instance: Any, tags: Any) -> None:
        """moto gives each image a snapshot of a volume of 15 GiB; this one is of its disk."""
        root = self.mappings(instance)[instance.root_device_name]
        volume = copy.copy(self.volumes[root.volume_id])
        ami.root_device_name, ami.root_device_type = instance.root_device_name, "ebs"
        ami.ebs_snapshot.volume = volume
        ami.ebs_snapshot.encrypted = volume.encrypted
        ami.ebs_snapshot.add_tags({tag["Key"]: tag["Value"] for tag in tags})

    def deregister_image(self, ami_id: str) -> None:
        """With its snapshot, where that was asked for."""
        ami = self.amis.get(ami_id)
        super().deregister_image(ami_id)
        self.contents.pop(ami_id, None)
        if ami is not None and self.asked.get("DeleteAssociatedSnapshots"):
            self.snapshots.pop(ami.ebs_snapshot.id, None)
        self.collect()

    def copy_image(self, source: str, region: str, name: Any = None, text: Any = None) -> Any:
        """Within the region."""
        if region != self.region_name:
            raise refused("Unsupported", "the bench has one region")
        self._check_name(name)
        ami = super().copy_image(source, region, name, text)
        kinds = {one["ResourceType"]: one["Tags"] for one in self.asked["TagSpecifications"]}
        ami.add_tags({tag["Key"]: tag["Value"] for tag in kinds.get("image", [])})
        of = self.amis[source]
        ami.root_device_name, ami.root_device_type = of.root_device_name, "ebs"
        ami.ebs_snapshot.volume = copy.copy(of.ebs_snapshot.volume)
        ami.ebs_snapshot.encrypted = of.ebs_snapshot.encrypted
        ami.ebs_snapshot.add_tags({t["Key"]: t["Value"] for t in kinds.get("snapshot", [])})
        self.contents[ami.id] = self.contents[source]
        return ami
