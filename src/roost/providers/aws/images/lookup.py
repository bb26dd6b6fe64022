"""The AMI of a system: looked up in the region when it is needed, never a table."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
