"""The work on disks on EC2: snapshots, images, other sizes, adopted volumes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from roost.errors import CloudError, command_line
from roost.model.resources import Image, Instance, S3Copy, Snapshot, State, Volume
from roost.model.steps import (
    Adopt,
    Archive,
    CreateImage,
    CreateSnapshot,
    Disown,
    ForgetCopy,
    MarkStale,
    Modify,
    RecordCopy,
    Restore,
    Step,
)
from roost.plan.backups import images_of
from roost.providers.aws import parse, requests, s3_copies, tags
from roost.providers.aws.cache import Memory
from roost.providers.aws.client import Calls
from roost.providers.aws.failures import code_of, kind_of

DISK_STEPS = (
    Adopt,
    Archive,
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
MOVING = frozenset({"IncorrectState", "InvalidSnapshot.InUse", "OperationNotPermitted"})
"""A snapshot whose tier is already being changed."""


CHANGED_BEFORE = frozenset({"IncorrectModificationState", "VolumeModificationRateExceeded"})
"""A volume that is being changed, or was changed a short while ago."""
GOING = frozenset({"modifying", "optimizing"})
PAUSE = timedelta(hours=6)


def _is_the_same(change: Mapping[str, Any], volume: Volume) -> bool:
    """Return whether a change on its way is the one that is wanted: a killed roost began it."""
    wanted = requests.modify_volume(volume)
    targets = {"Size": "TargetSize", "VolumeType": "TargetVolumeType"}
    targets |= {"Iops": "TargetIops", "Throughput": "TargetThroughput"}
    return bool(change) and all(
        change.get(target) in (None, wanted[key])
        for key, target in targets.items()
        if key in wanted
    )


def _when(change: Mapping[str, Any]) -> str:
    """Return why a volume cannot be changed now, and when it can be."""
    what = "EC2 changes a volume once in six hours"
    if not change:
        return f"{what}; the same command, later"
    since = change.get("EndTime") or change["StartTime"]
    being = "is being changed" if change.get("ModificationState") in GOING else "was changed"
    then = max(since, change["StartTime"]) + PAUSE
    return (
        f"it {being} (to {change.get('TargetSize')} GiB, since"
        f" {change['StartTime']:%Y-%m-%d %H:%M} UTC), and {what}: not before {then:%Y-%m-%d %H:%M}"
        " UTC"
    )


@dataclass(frozen=True, slots=True)
class Disks:
    """The effects of one name; ``memory`` has seen it just now."""

    calls: Calls
    memory: Memory
    name: str
    users: Mapping[str, str]
    clock: Callable[[], float]
    wall: Callable[[], datetime]

    def apply(self, step: Step) -> None:
        """Do a step that is about disks."""
        match step:
            case CreateSnapshot(names, sealed):
                for volume in names:
                    self.snap(self._volume(volume), sealed=sealed)
            case CreateImage(names):
                for instance in names:
                    self.save(self._instance(instance))
            case MarkStale(names):
                self.calls.unless_gone(
                    self.calls.ec2.create_tags,
                    Resources=list(names),
                    Tags=[{"Key": tags.SEALED, "Value": "no"}],
                )
            case RecordCopy(copies):
                self.keep(copies)
            case ForgetCopy(names):
                s3_copies.forget(self.calls, self.name, names)
                self.memory.s3_copies = tuple(
                    s for s in self.memory.s3_copies if s.name not in names
                )
            case Archive() | Restore():
                self.move(step)
            case _:
                self.change(step)

    def change(self, step: Step) -> None:
        """Do a step that is about volumes as they are."""
        match step:
            case Modify(volumes):
                for wanted in volumes:
                    self.modify(wanted)
            case Adopt(volumes):
                for theirs in volumes:
                    self.adopt(theirs)
            case Disown(names):
                ids = [self._volume(one).id for one in names]
                self.calls.ec2.delete_tags(**requests.disowning(ids))
                self.memory.described.pop("volume", None)
            case _:
                raise CloudError(f"EC2 has no way to do {step}")

    def keep(self, copies: tuple[S3Copy, ...]) -> None:
        """Write down the copies that are in S3. Raises CloudError."""
        s3_copies.write(self.calls, self.name, copies)
        new = {copy.name: copy for copy in (*self.memory.s3_copies, *copies)}
        self.memory.s3_copies = tuple(new[name] for name in sorted(new))

    def snap(self, volume: Volume, *, sealed: bool) -> None:
        """Begin a copy; it holds what is on the volume at this moment."""
        asked = requests.create_snapshot(self.name, volume, self.users, sealed=sealed)
        made = self.calls.ec2.create_snapshot(**asked)
        found = Snapshot(
            name=made["SnapshotId"],
            volume=volume.name,
            source=volume.id,
            size_gib=volume.size_gib,
            state="pending",
            sealed=sealed,
            taken=made["StartTime"].timestamp(),
        )
        self.memory.remember_made(found, found.name, self.clock())

    def save(self, instance: Instance) -> None:
        """Begin an image of a stopped instance's own disk."""
        state = self.memory.state or State(name=self.name)
        failed = sum(i.state == "failed" for i in images_of(instance.name, state))
        devices = parse.devices(self.memory.described, instance.id)
        data = {v for v in devices if v != self._root(instance.id)}
        asked = requests.create_image(self.name, instance, data, self.users, failed)
        try:
            made = self.calls.unless_there(self.calls.ec2.create_image, **asked)
        except self.calls.ec2.exceptions.ClientError as error:
            if kind_of(error) != "unknown call":
                raise
            raise CloudError(
                f"this endpoint makes no images of machines (CreateImage: {code_of(error)}): the"
                f" disk of {instance.name} cannot be saved, and nothing was deleted",
                next=command_line("roost", "park", self.name, "--mode", "keep")
                + "   (keeps the machine, stopped)",
            ) from error
        if made is None:
            return  # an earlier call whose answer was lost began it; the next look shows it
        found = Image(
            name=made["ImageId"],
            instance=instance.name,
            source=instance.id,
            state="pending",
            taken=self.wall().timestamp(),
        )
        self.memory.remember_made(found, found.name, self.clock())

    def _root(self, instance_id: str) -> str | None:
        for reservation in self.memory.described.get("instance", ()):
            for instance in reservation["Instances"]:
                if instance["InstanceId"] == instance_id:
                    return str(instance["RootDeviceName"])
        return None

    def modify(self, volume: Volume) -> None:
        """Begin to change a volume where it is. EC2 allows one change in six hours.

        A volume that may not be changed now stays as it is, with a note when it may be.
        """
        try:
            self.calls.ec2.modify_volume(**requests.modify_volume(volume))
        except self.calls.ec2.exceptions.ClientError as error:
            if code_of(error) not in CHANGED_BEFORE:
                raise
            change = self._last_change(volume)
            if not _is_the_same(change, volume):
                self.memory.unchanged[volume.id] = _when(change)
                return
        self.memory.changed[volume.id] = volume

    def _last_change(self, volume: Volume) -> Mapping[str, Any]:
        """Return the last modification of a volume as EC2 describes it; empty: it knows none."""
        found = self.calls.optional(
            "describe_volumes_modifications", "VolumesModifications", VolumeIds=[volume.id]
        )
        return max(found or (), key=lambda change: change["StartTime"], default={})

    def adopt(self, volume: Volume) -> None:
        """Adopt a volume that was there before. Raises CloudError where it is another name's."""
        (found,) = self.calls.ec2.describe_volumes(VolumeIds=[volume.id])["Volumes"]
        owner = tags.read(found.get("Tags")).get(tags.NAME, self.name)
        zone = self.memory.zone
        if owner != self.name:
            raise CloudError(
                f"volume {volume.id} belongs to {owner}", next=command_line("roost", "show", owner)
            )
        if found["State"] != "available":
            raise CloudError(f"volume {volume.id} is {found['State']}: it must be free")
        if zone is not None and found["AvailabilityZone"] != zone:
            raise CloudError(
                f"volume {volume.id} is in {found['AvailabilityZone']}, and {self.name} in {zone}",
                next=command_line("roost", "park", self.name)
                + ", then: roost up   (then it comes to the volume)",
            )
        self.calls.ec2.create_tags(**requests.adoption(self.name, volume, self.users))
        self.memory.zone = found["AvailabilityZone"]
        self.memory.kinds.add("volume")

    def move(self, step: Archive | Restore) -> None:
        """Move snapshots between the tiers; one that is moving already is left to finish."""
        for one in step.names:
            change = "archival" if isinstance(step, Archive) else "permanent-restore"
            self.memory.tiers[one] = f"{change}-in-progress"
            try:
                if isinstance(step, Archive):
                    self.calls.ec2.modify_snapshot_tier(SnapshotId=one, StorageTier="archive")
                else:
                    self.calls.ec2.restore_snapshot_tier(SnapshotId=one, PermanentRestore=True)
            except self.calls.ec2.exceptions.ClientError as error:
                if code_of(error) not in MOVING:
                    raise

    def delete(self, one: str) -> None:
        """Delete a snapshot, or an image with the snapshot that is its disk."""
        if one.startswith("ami-"):
            self.calls.unless_gone(
                self.calls.ec2.deregister_image, ImageId=one, DeleteAssociatedSnapshots=True
            )
        else:
            self.calls.unless_gone(self.calls.ec2.delete_snapshot, SnapshotId=one)

    def _volume(self, name: str) -> Volume:
        volumes = self.memory.state.volumes if self.memory.state else ()
        return next(v for v in volumes if v.name == name)

    def _instance(self, name: str) -> Instance:
        instances = self.memory.state.instances if self.memory.state else ()
        return next(i for i in instances if i.name == name)
