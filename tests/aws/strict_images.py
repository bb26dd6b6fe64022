"""Images as EC2 has them, and a helper that really does (or does not) what it was told.

What the helper is told is read from its user-data, as the machine would. ``leaked`` has images that
were made of a disk which nobody had cleaned. Sources: EC2 API reference (CreateImage: allowed
characters and unique names; CopyImage; ModifySnapshotAttribute: "Encrypted snapshots with EBS
default key cannot be shared").
"""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from botocore.exceptions import ClientError

from tests.aws.strict import StrictEc2

IMAGE_NAME = r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}"
GROUP_NAME = r"[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}"
CLEANING = 3
"""So many sleeps a helper takes."""


def told(user_data: bytes) -> str:
    """What the helper says last, from the command that it is given."""
    text = gzip.decompress(user_data).decode()
    assert text.startswith("#cloud-config\n")
    command: list[str] = json.loads(text.partition("\n")[2])["runcmd"][-1]
    assert command[-3:-1] == ["/usr/lib/roost/run", "bake"]
    return command[-1]


@dataclass
class StrictImages(StrictEc2):
    """``helper`` is what helpers do; ``disk`` the size of the disks that images are made of."""

    helper: Literal["clean", "fails", "hangs", "silent"] = "clean"
    leaked: list[str] = field(default_factory=list)
    cleaned: set[str] = field(default_factory=set)
    consoles: dict[str, str] = field(default_factory=dict)
    shared: dict[str, set[str]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    _left: dict[str, int] = field(default_factory=dict)
    _words: dict[str, str] = field(default_factory=dict)

    # --- helpers ----------------------------------------------------------------------------

    def _once(self, through: Any, name: str, asked: dict[str, Any]) -> Any:
        answer = super()._once(through, name, asked)
        if name == "RunInstances" and _tag(asked, "instance", "roost:role") == "helper":
            (one,) = (i["InstanceId"] for i in answer["Instances"])
            if one not in self._words:
                self._words[one] = told(asked["UserData"])
                self._left[one] = CLEANING + self.weather.delay
        return answer

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        for one in list(self._left):
            if self.backend.get_instance(one).state != "running":
                del self._left[one]  # somebody ended it
                continue
            self._left[one] -= 1
            if self._left[one] <= 0 and self.helper != "hangs":
                self._end(one)

    def _end(self, one: str) -> None:
        del self._left[one]
        said = {"clean": "clean", "fails": "failed: /home: Input/output error"}.get(self.helper)
        if said:
            self.consoles[one] = f"[  9.1] systemd[1]: started\r\n{self._words[one]}: {said}\r\n"
        if self.helper != "fails":
            self.backend.get_instance(one).stop()
            self._moving[one] = ("stopping", self.weather.delay)
        if self.helper == "clean":
            self.cleaned.add(one)

    def _instead_GetConsoleOutput(self, through: Any, asked: Any) -> Any:  # noqa: N802
        del through
        one = asked["InstanceId"]
        return {"InstanceId": one, "Output": self.consoles.get(one, "")}

    # --- what is made -----------------------------------------------------------------------

    def _check_CreateImage(self, through: Any, asked: Any) -> None:  # noqa: N802
        del through
        if not re.fullmatch(IMAGE_NAME, asked["Name"]):
            raise _error("CreateImage", "InvalidAMIName.Malformed", asked["Name"])

    def _check_CreateSecurityGroup(self, through: Any, asked: Any) -> None:  # noqa: N802
        del through
        for text in (asked["GroupName"], asked["Description"]):
            if not re.fullmatch(GROUP_NAME, text) or text.startswith("sg-"):
                raise _error("CreateSecurityGroup", "InvalidParameterValue", text)

    def _instead_CreateImage(self, through: Any, asked: Any) -> Any:  # noqa: N802
        if asked["InstanceId"] in self._moving:
            raise _error("CreateImage", "IncorrectInstanceState", asked["InstanceId"])
        answer = super()._instead_CreateImage(through, asked)
        role = _tag(asked, "image", "roost:role")
        if role == "baked" and asked["InstanceId"] not in self.cleaned:
            self.leaked.append(asked["Name"])
        return answer

    def _check_RunInstances(self, through: Any, asked: Any) -> None:  # noqa: N802
        image = asked["ImageId"]
        if not image.startswith("ami-"):
            return
        if image in self._moving:
            raise _error("RunInstances", "InvalidAMIID.Unavailable", image)
        if image not in self.backend.amis:
            raise _error("RunInstances", "InvalidAMIID.NotFound", image)
        (found,) = through("DescribeImages", {"ImageIds": [image]})["Images"]
        self._as_they_are([found])
        (disk,) = (m["Ebs"] for m in asked["BlockDeviceMappings"])
        needed = found["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"]
        if image in self._with_disks() and disk.get("VolumeSize", needed) < needed:
            raise _error("RunInstances", "InvalidBlockDeviceMapping", "smaller than the snapshot")

    def _with_disks(self) -> dict[str, Any]:
        """The snapshot of each image that was made here."""
        return {
            copy.from_ami: copy
            for one, copy in self.backend.snapshots.items()
            if one in self.held and getattr(copy, "from_ami", None)
        }

    def _done_DescribeImages(self, answer: Any, asked: Any) -> None:  # noqa: N802
        self._as_they_are(answer["Images"])
        super()._done_DescribeImages(answer, asked)

    def _as_they_are(self, images: list[Any]) -> None:
        """moto shows a snapshot of 15 GiB for every image."""
        disks = self._with_disks()
        for image in images:
            copy = disks.get(image["ImageId"])
            if copy is not None:
                ebs = {"SnapshotId": copy.id, "VolumeSize": copy.volume.size, "Encrypted": True}
                image["BlockDeviceMappings"] = [{"DeviceName": image["RootDeviceName"], "Ebs": ebs}]

    # --- copies and sharing -----------------------------------------------------------------

    def _instead_CopyImage(self, through: Any, asked: Any) -> Any:  # noqa: N802
        backend = self.backend
        if not re.fullmatch(IMAGE_NAME, asked["Name"]):
            raise _error("CopyImage", "InvalidAMIName.Malformed", asked["Name"])
        if any(ami.name == asked["Name"] for ami in backend.amis.values()):
            raise _error("CopyImage", "InvalidAMIName.Duplicate", asked["Name"])
        plain = {k: asked[k] for k in ("Name", "SourceImageId", "SourceRegion")}
        answer = through("CopyImage", plain)
        new = answer["ImageId"]
        kinds = {s["ResourceType"]: s["Tags"] for s in asked["TagSpecifications"]}
        backend.amis[new].add_tags({t["Key"]: t["Value"] for t in kinds["image"]})
        old = self._with_disks().get(asked["SourceImageId"])
        volume = backend.create_volume(
            size=old.volume.size if old else 30, zone_name=f"{self.region}a"
        )
        copy = backend.create_snapshot(volume.id, description="", from_ami=new)
        backend.delete_volume(volume.id)
        copy.add_tags({t["Key"]: t["Value"] for t in kinds["snapshot"]})
        self.held[copy.id] = f"copy of {asked['SourceImageId']}"
        if "KmsKeyId" in asked:
            self.keys[copy.id] = asked["KmsKeyId"]
        self._hide(new)
        for one in (copy.id, new):
            self._moving[one] = ("pending", self.weather.delay + 1)
        return answer

    def _check_ModifySnapshotAttribute(self, through: Any, asked: Any) -> None:  # noqa: N802
        del through
        if asked["SnapshotId"] not in self.keys:
            raise _error(
                "ModifySnapshotAttribute",
                "OperationNotPermitted",
                "Encrypted snapshots with EBS default key cannot be shared",
            )

    def _done_ModifySnapshotAttribute(self, answer: Any, asked: Any) -> None:  # noqa: N802
        del answer
        assert asked["Attribute"] == "createVolumePermission"
        users = self.shared.setdefault(asked["SnapshotId"], set())
        if asked["OperationType"] == "add":
            users.update(asked["UserIds"])
        else:
            users.difference_update(asked["UserIds"])


def _tag(asked: Any, kind: str, key: str) -> str:
    for found in asked.get("TagSpecifications", ()):
        if found["ResourceType"] == kind:
            return next((t["Value"] for t in found["Tags"] if t["Key"] == key), "")
    return ""


def _error(operation: str, code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)
