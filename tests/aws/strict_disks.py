"""Disks as EC2 has them: copies take their time, and what is on a disk is known.

Every disk of a machine that is up is written to, all the time. A copy holds what was on its disk
when it was begun. ``lost`` has the volumes that were deleted with content that no completed
snapshot holds, and those made again without what was on them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2 import ec2_backends

REGION = "eu-central-1"
DATA = {f"/dev/sd{letter}" for letter in "fghijklmnop"}
SIX_HOURS = timedelta(hours=6)
UP = ("pending", "running", "stopping", "shutting-down")


class StrictDisks:
    """Handlers of StrictEc2: ``_check_*`` before a call, ``_instead_*`` in its place."""

    weather: Any
    wall: Any
    _moving: dict[str, tuple[str, int]]

    def __init__(self) -> None:
        self.region = REGION
        self.lost: list[str] = []
        self.contents: dict[str, str] = {}
        self.held: dict[str, str] = {}
        self.buried: dict[str, str] = {}
        self.discarded: set[str] = set()
        self.bucket: dict[str, str] = {}
        self.still: set[str] = set()
        self.closed: set[str] = set()
        self.states: dict[str, str] = {}
        self.reasons: dict[str, str] = {}
        self.leaving: dict[str, dict[str, Any]] = {}
        self.default_key = "alias/aws/ebs"
        self.key_states: dict[str, str] = {}
        self.unwell: dict[str, dict[str, Any]] = {}
        self.modified: dict[str, Any] = {}
        self._writes = 0
        self._started: dict[str, Any] = {}

    @property
    def backend(self) -> Any:
        """moto's own memory of the region."""
        return ec2_backends[DEFAULT_ACCOUNT_ID][self.region]

    # --- what is on the disks ---------------------------------------------------------------

    def write(self) -> None:
        """Machines that are up write to all their data volumes."""
        backend = self.backend
        for volume in backend.volumes.values():
            held = volume.attachment
            quiet = volume.id in self.still or volume.id in self.closed
            if held and held.device in DATA and self._is_up(held.instance) and not quiet:
                self._writes += 1
                self.contents[volume.id] = f"{volume.id} {self._writes}"

    def _is_up(self, instance: Any) -> bool:
        moving = self._moving.get(instance.id)
        return (moving[0] if moving else instance.state) in UP

    def _content(self, volume: str) -> str:
        return self.contents.get(volume, "blank")

    def _completed(self) -> set[str]:
        kept = {c for one, c in self.held.items() if one not in self._moving}
        return kept | set(self.bucket.values())

    # --- what is in S3 ----------------------------------------------------------------------

    def push(self, volume: str, place: str) -> None:
        """What is on a volume goes there."""
        self.bucket[place] = self._content(volume)

    def pull(self, volume: str, name: str, place: str) -> None:
        """It comes back to a volume that was made for it, which may be written to from then on."""
        if volume in self.closed:
            self.contents[volume] = self.bucket[place]
            self.closed.discard(volume)
            self._dug_up(name, volume)

    def _dug_up(self, name: str, one: str) -> None:
        if name in self.buried and self.buried.pop(name) != self.contents[one]:
            self.lost.append(f"{name} came back without its data")

    # --- states that nobody asked for -------------------------------------------------------

    def _instead_GetEbsDefaultKmsKeyId(self, through: Any, asked: Any) -> Any:  # noqa: N802
        del through, asked
        return {"KmsKeyId": self.default_key}

    def _key_trouble(self, asked: Any) -> str:
        """EC2 takes a launch whose key cannot be used, and ends the machine."""
        key = asked["BlockDeviceMappings"][0]["Ebs"].get("KmsKeyId", self.default_key)
        usable = self.key_states.get(key, "Enabled") == "Enabled"
        return "" if usable else f"Client.InvalidKMSKey.InvalidState: {key}"

    def _done_DescribeInstanceStatus(self, answer: Any, asked: Any) -> None:  # noqa: N802
        """``unwell`` has what differs in the status of an instance."""
        del asked
        for status in answer["InstanceStatuses"]:
            status.update(self.unwell.get(status["InstanceId"], {}))

    def _done_DescribeVolumes(self, answer: Any, asked: Any) -> None:  # noqa: N802
        """``states`` has the state of a volume, or, after "attachment ", of its attachment."""
        del asked
        for volume in answer["Volumes"]:
            one = volume["VolumeId"]
            if f"leaving {one}" in self._moving:  # its machine has ended, and lets go of it later
                volume["State"] = "in-use"
                volume["Attachments"] = [dict(self.leaving[one])]
            volume["State"] = self.states.get(one, volume["State"])
            for attachment in volume.get("Attachments", ()):
                attachment["State"] = self.states.get(f"attachment {one}", "attached")

    def _done_DescribeImages(self, answer: Any, asked: Any) -> None:  # noqa: N802
        """A disabled image is described only to whoever asks for such."""
        for image in answer["Images"]:
            image["State"] = self.states.get(image["ImageId"], image["State"])
            if size := self.weather.image_gib.get(image["ImageId"]):
                image["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] = size
        if not asked.get("IncludeDisabled"):
            answer["Images"] = [i for i in answer["Images"] if i["State"] != "disabled"]

    # --- volumes ----------------------------------------------------------------------------

    def _done_CreateVolume(self, answer: Any, asked: Any) -> None:  # noqa: N802
        """Called once for a volume, not for a repeated token."""
        one = answer["VolumeId"]
        self.contents[one] = self.held.get(asked.get("SnapshotId", ""), "blank")
        name = _tag(answer, "roost:node")
        if "SnapshotId" not in asked and self.buried.get(name) in self.bucket.values():
            self.closed.add(one)  # it is filled later, and till then nobody is let in
        else:
            self._dug_up(name, one)

    def _check_CreateVolume(self, through: Any, asked: Any) -> None:  # noqa: N802
        source = asked.get("SnapshotId")
        if source is None:
            return
        if source in self._moving:
            raise _error("CreateVolume", "IncorrectState", "the snapshot is pending")
        (found,) = through("DescribeSnapshots", {"SnapshotIds": [source]})["Snapshots"]
        if found.get("StorageTier") == "archive" or f"tier {source}" in self._moving:
            raise _error("CreateVolume", "IncorrectState", "the snapshot is archived")
        if asked["Size"] < found["VolumeSize"]:
            raise _error("CreateVolume", "InvalidParameterValue", "smaller than the snapshot")

    def _check_DeleteVolume(self, through: Any, asked: Any) -> None:  # noqa: N802
        one = asked["VolumeId"]
        (volume,) = through("DescribeVolumes", {"VolumeIds": [one]})["Volumes"]
        held = self.states.get(one, volume["State"]) not in ("available", "error")
        if held or f"leaving {one}" in self._moving:
            raise _error("DeleteVolume", "VolumeInUse", one)
        name, content = _tag(volume, "roost:node"), self._content(one)
        if name in self.discarded or content == "blank":
            return
        self.buried[name] = content
        if content not in self._completed():
            self.lost.append(f"{name} was deleted and is nowhere else")

    def _check_ModifyVolume(self, through: Any, asked: Any) -> None:  # noqa: N802
        (volume,) = through("DescribeVolumes", {"VolumeIds": [asked["VolumeId"]]})["Volumes"]
        one = asked["VolumeId"]
        if one in self._moving:
            raise _error("ModifyVolume", "IncorrectModificationState", "it is being modified")
        since = self.modified.get(one)
        if since is not None and self.wall() - since < SIX_HOURS:
            code = "VolumeModificationRateExceeded"
            raise _error("ModifyVolume", code, "You've reached the maximum modification rate")
        if asked.get("Size", volume["Size"]) < volume["Size"]:
            raise _error("ModifyVolume", "InvalidParameterValue", "smaller than it is")

    def _done_DescribeVolumesModifications(self, answer: Any, asked: Any) -> None:  # noqa: N802
        del asked
        for change in answer["VolumesModifications"]:
            since = self.modified.get(change["VolumeId"], change["StartTime"])
            change["StartTime"] = change["EndTime"] = since

    def _done_ModifyVolume(self, answer: Any, asked: Any) -> None:  # noqa: N802
        del answer
        self.modified[asked["VolumeId"]] = self.wall()

    # --- snapshots --------------------------------------------------------------------------

    def _done_CreateSnapshot(self, answer: Any, asked: Any) -> None:  # noqa: N802
        one = answer["SnapshotId"]
        self.held[one] = self._content(asked["VolumeId"])
        self._moving[one] = ("pending", self.weather.delay + 1)

    def _check_DeleteSnapshot(self, through: Any, asked: Any) -> None:  # noqa: N802
        del through
        backend = self.backend
        snapshot = backend.snapshots.get(asked["SnapshotId"])
        if snapshot is None:
            raise _error("DeleteSnapshot", "InvalidSnapshot.NotFound", asked["SnapshotId"])
        if getattr(snapshot, "from_ami", None) in backend.amis:
            raise _error("DeleteSnapshot", "InvalidSnapshot.InUse", asked["SnapshotId"])

    def _done_DeleteSnapshot(self, answer: Any, asked: Any) -> None:  # noqa: N802
        del answer
        self._forget_copy(asked["SnapshotId"])

    def _forget_copy(self, one: str) -> None:
        content = self.held.pop(one, "blank")
        self._moving.pop(one, None)
        for name, last in self.buried.items():
            kept = last in self._completed() or name in self.discarded
            if last == content and not kept:
                self.lost.append(f"the last copy of {name} was deleted")

    def _check_ModifySnapshotTier(self, through: Any, asked: Any) -> None:  # noqa: N802
        self._whole(through, asked["SnapshotId"], "ModifySnapshotTier", "standard")

    def _check_RestoreSnapshotTier(self, through: Any, asked: Any) -> None:  # noqa: N802
        self._whole(through, asked["SnapshotId"], "RestoreSnapshotTier", "archive")

    def _done_ModifySnapshotTier(self, answer: Any, asked: Any) -> None:  # noqa: N802
        del answer
        self._moving[f"tier {asked['SnapshotId']}"] = ("archival-in-progress", 5)

    def _done_RestoreSnapshotTier(self, answer: Any, asked: Any) -> None:  # noqa: N802
        del answer
        self._moving[f"tier {asked['SnapshotId']}"] = ("permanent-restore-in-progress", 5)

    def _done_DescribeSnapshots(self, answer: Any, asked: Any) -> None:  # noqa: N802
        """The tier changes at the end."""
        del asked
        for snapshot in answer["Snapshots"]:
            snapshot["State"] = self.states.get(snapshot["SnapshotId"], snapshot["State"])
            moving = self._moving.get(f"tier {snapshot['SnapshotId']}")
            if moving is not None:
                archiving = moving[0].startswith("archival")
                snapshot["StorageTier"] = "standard" if archiving else "archive"

    def _done_DescribeSnapshotTierStatus(self, answer: Any, asked: Any) -> None:  # noqa: N802
        del asked
        for status in answer["SnapshotTierStatuses"]:
            moving = self._moving.get(f"tier {status['SnapshotId']}")
            if moving is not None:
                status["LastTieringOperationStatus"] = moving[0]

    def _whole(self, through: Any, one: str, call: str, tier: str) -> None:
        (found,) = through("DescribeSnapshots", {"SnapshotIds": [one]})["Snapshots"]
        if one in self._moving or f"tier {one}" in self._moving:
            raise _error(call, "IncorrectState", "it is on its way")
        if found.get("StorageTier", "standard") != tier:
            raise _error(call, "IncorrectState", f"it is {found.get('StorageTier')}")

    def copies(self) -> set[str]:
        """The ids of all snapshots and images."""
        backend = self.backend
        return {*backend.snapshots, *backend.amis}

    # --- images -----------------------------------------------------------------------------

    def _instead_CreateImage(self, through: Any, asked: Any) -> Any:  # noqa: N802
        """moto makes no snapshot for an image, and takes a name twice."""
        backend = self.backend
        if any(ami.name == asked["Name"] for ami in backend.amis.values()):
            raise _error("CreateImage", "InvalidAMIName.Duplicate", asked["Name"])
        instance = backend.get_instance(asked["InstanceId"])
        if self._is_up(instance):
            raise _error("CreateImage", "IncorrectInstanceState", "it would be rebooted")
        kinds = {s["ResourceType"]: s["Tags"] for s in asked["TagSpecifications"]}
        plain = {k: v for k, v in asked.items() if k != "BlockDeviceMappings"}
        plain["TagSpecifications"] = [{"ResourceType": "image", "Tags": kinds["image"]}]
        answer = through("CreateImage", plain)
        left_out = {m["DeviceName"] for m in asked["BlockDeviceMappings"] if "NoDevice" in m}
        for device, mapping in instance.block_device_mapping.items():
            if device in left_out:
                continue
            copy = backend.create_snapshot(
                mapping.volume_id, description="", from_ami=answer["ImageId"]
            )
            copy.add_tags({t["Key"]: t["Value"] for t in kinds["snapshot"]})
            self.held[copy.id] = f"disk of {instance.id}"
            self._moving[copy.id] = ("pending", self.weather.delay + 1)
        self._moving[answer["ImageId"]] = ("pending", self.weather.delay + 1)
        return answer

    def _instead_DeregisterImage(self, through: Any, asked: Any) -> Any:  # noqa: N802
        backend = self.backend
        answer = through("DeregisterImage", {"ImageId": asked["ImageId"]})
        self._moving.pop(asked["ImageId"], None)
        if asked.get("DeleteAssociatedSnapshots"):
            for one, copy in list(backend.snapshots.items()):
                if getattr(copy, "from_ami", None) == asked["ImageId"]:
                    del backend.snapshots[one]
                    self._forget_copy(one)
        return answer

    # --- machines ---------------------------------------------------------------------------

    def _keep_for_a_while(self, instances: list[str]) -> None:
        """EC2 takes volumes from an instance some time after it has ended it; moto at once."""
        for volume in self.backend.volumes.values():
            held = volume.attachment
            if held and held.device in DATA and held.instance.id in instances:
                one = {"InstanceId": held.instance.id, "Device": held.device, "State": "attached"}
                self.leaving[volume.id] = {**one, "VolumeId": volume.id}
                self._moving[f"leaving {volume.id}"] = ("in-use", self.weather.delay + 2)

    def _let_go(self, instances: list[str]) -> None:
        """EC2 takes the Elastic IP from a terminated instance; moto does not."""
        backend = self.backend
        for address in backend.addresses:
            if address.instance is not None and address.instance.id in instances:
                address.instance = address.eni = address.association_id = None

    def _check_ModifyInstanceAttribute(self, through: Any, asked: Any) -> None:  # noqa: N802
        found = through("DescribeInstances", {"InstanceIds": [asked["InstanceId"]]})
        backend = self.backend
        del found
        moving = self._moving.get(asked["InstanceId"])
        state = moving[0] if moving else backend.get_instance(asked["InstanceId"]).state
        if state != "stopped":
            raise _error("ModifyInstanceAttribute", "IncorrectInstanceState", state)
        wanted = asked["InstanceType"]["Value"]
        if not through("DescribeInstanceTypes", {"InstanceTypes": [wanted]})["InstanceTypes"]:
            raise _error("ModifyInstanceAttribute", "InvalidParameterValue", wanted)


def _tag(described: Any, key: str) -> str:
    return next((t["Value"] for t in described.get("Tags", ()) if t["Key"] == key), "")


def _error(operation: str, code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)
