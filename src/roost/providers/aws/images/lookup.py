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
    """Return the AMI's source for ``ubuntu-24.04`` or ``debian-12``; None for one's own image.

    Sources: documentation of Canonical ("Find Ubuntu images with the SSM store") and of Debian
    ("Cloud/AmazonEC2Image").
    """
    if is_own(image):
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


Own = tuple[str, str]
"""An image of one's own as the file says it, and the processor that it is for."""


def is_own(image: str) -> bool:
    """Tell whether the file names an image by its id, or by its owner and a pattern of names."""
    return image.startswith("ami-") or "/" in image


def describe_own(calls: Calls, wanted: Iterable[Own]) -> dict[Own, Mapping[str, Any]]:
    """Return EC2's description of each that is there; of a pattern, of the newest that fits.

    One call for all ids, and one for each owner: whoever may publish an image may give it any
    name, so that none is looked for among all the world's.
    """
    mine = sorted(set(wanted))
    found: dict[Own, Mapping[str, Any]] = {}
    if ids := [image for image, _ in mine if image.startswith("ami-")]:
        asked = [{"Name": "image-id", "Values": sorted(set(ids))}]
        described = calls.every("describe_images", "Images", Filters=asked)
        known = {image["ImageId"]: image for image in described}
        found |= {own: known[own[0]] for own in mine if own[0] in known}
    named = {own: own[0].split("/", 1) for own in mine if not own[0].startswith("ami-")}
    for owner in sorted({owner for owner, _ in named.values()}):
        patterns = {own: name for own, (whose, name) in named.items() if whose == owner}
        asked = [
            {"Name": "name", "Values": sorted(set(patterns.values()))},
            {"Name": "state", "Values": ["available"]},
        ]
        described = calls.every("describe_images", "Images", Owners=[owner], Filters=asked)
        for own, pattern in patterns.items():
            if newest := _newest(described, pattern, own[1]):
                found[own] = newest
    return found


def _newest(images: Iterable[Mapping[str, Any]], pattern: str, arch: str) -> Mapping[str, Any]:
    """Return the newest image for a processor whose name is as EC2's wildcards say. Pure."""
    words = "".join({"*": ".*", "?": "."}.get(one, re.escape(one)) for one in pattern)
    fit = (
        image
        for image in images
        if re.fullmatch(words, image.get("Name", "")) and image.get("Architecture") == arch
    )
    return max(fit, key=lambda one: (one.get("CreationDate", ""), one["ImageId"]), default={})


def find_own(calls: Calls, groups: Iterable[Group]) -> dict[Own, tuple[str, str]]:
    """Return id and root device of each image that the file names by its id or a pattern.

    Raises UsageError where there is no such image, or where it does not fit on the file's disk.
    """
    those = [g for g in groups if g.count and is_own(g.shape.image)]
    found = describe_own(calls, ((g.shape.image, g.shape.arch) for g in those))
    for group in those:
        image = found.get((group.shape.image, group.shape.arch))
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
    return {own: (image["ImageId"], image["RootDeviceName"]) for own, image in found.items()}


def too_small(image: str, size: int, disk: float) -> str:
    """Return what is wrong with a disk that an image does not fit on."""
    return f"the image {image} needs {size} GB, and the file's disk has {disk:g} GB"


def disk_size(image: Mapping[str, Any]) -> int:
    """Return the GiB of the disk that an image boots from; 0 where EC2 does not say. Pure."""
    root = image.get("RootDeviceName")
    disks = (m for m in image.get("BlockDeviceMappings", ()) if m.get("DeviceName") == root)
    return max((int(m.get("Ebs", {}).get("VolumeSize", 0)) for m in disks), default=0)
