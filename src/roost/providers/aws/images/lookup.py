"""The AMI of a system: looked up in the region when it is needed, never a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from roost.errors import UsageError

if TYPE_CHECKING:
    from roost.model.resources import Group
    from roost.providers.aws.client import Calls

ARCHES = {"x86_64": "amd64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True)
class ImageSource:
    """The place where a system's AMI is found: the publisher's public SSM parameter."""

    parameter: str
    root_device: str
    user: str


def image_source(image: str, arch: str) -> ImageSource | None:
    """Return the AMI's source for ``ubuntu-24.04`` or ``debian-12``; None for an id (``ami-...``).

    Sources: documentation of Canonical ("Find Ubuntu images with the SSM store") and of Debian
    ("Cloud/AmazonEC2Image").
    """
    if image.startswith("ami-"):
        return None
    system, version = re.fullmatch(r"(ubuntu|debian)-([\d.]+)", image).groups()  # type: ignore[union-attr]
    machine = ARCHES[arch]
    if system == "ubuntu":
        path = f"/aws/service/canonical/ubuntu/server/{version}/stable/current/{machine}/hvm"
        return ImageSource(f"{path}/ebs-gp3/ami-id", "/dev/sda1", "ubuntu")
    path = f"/aws/service/debian/release/{version}/latest/{machine}"
    return ImageSource(path, "/dev/xvda", "admin")


def resolved_by_ec2(image: str, arch: str) -> tuple[str, str] | None:
    """Return an ``ImageId`` that EC2 resolves at launch, and the root device; None for an id.

    Source: EC2 user guide, "Reference AMIs using Systems Manager parameters". Whoever launches
    needs the permission ssm:GetParameters for it.
    """
    source = image_source(image, arch)
    return (f"resolve:ssm:{source.parameter}", source.root_device) if source else None


# --- images of one's own --------------------------------------------------------------------------

TABLES = {"desktop": "machine", "seat": "machine", "head": "head", "worker": "workers"}
"""The table of the file that describes the machines of a role."""


def find_own(calls: Calls, groups: Iterable[Group]) -> dict[str, str]:
    """Return the root device of each AMI that the file names by its id. One call, or none.

    Raises UsageError where there is no such image, or where it does not fit on the file's disk.
    """
    those = [g for g in groups if g.count and g.shape.image.startswith("ami-")]
    if not those:
        return {}
    mine = [{"Name": "image-id", "Values": sorted({g.shape.image for g in those})}]
    described = calls.every("describe_images", "Images", Filters=mine)
    found = {image["ImageId"]: image for image in described}
    for group in those:
        image = found.get(group.shape.image)
        if image is None:
            raise UsageError(
                f"{calls.region} has no image {group.shape.image}, or you may not use it",
                next=f"another image in [{TABLES[group.role]}]",
            )
        if (size := disk_size(image)) > group.shape.disk_gib:
            raise UsageError(
                too_small(image["ImageId"], size, group.shape.disk_gib),
                next=f'disk = "{size}GB" in [{TABLES[group.role]}]',
            )
    return {one: image["RootDeviceName"] for one, image in found.items()}


def too_small(image: str, size: int, disk: float) -> str:
    """Return what is wrong with a disk that an image does not fit on."""
    return f"the image {image} needs {size} GB, and the file's disk has {disk:g} GB"


def disk_size(image: Mapping[str, Any]) -> int:
    """Return the GiB of the disk that an image boots from; 0 where EC2 does not say. Pure."""
    root = image.get("RootDeviceName")
    disks = (m for m in image.get("BlockDeviceMappings", ()) if m.get("DeviceName") == root)
    return max((int(m.get("Ebs", {}).get("VolumeSize", 0)) for m in disks), default=0)
