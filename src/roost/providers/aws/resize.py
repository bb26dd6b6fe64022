"""EC2's reasons to refuse a new instance type, told before the instance is stopped.

Source: EC2 user guide, "Compatibility for changing the instance type".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from roost.errors import UsageError
from roost.providers.aws.failures import code_of, translated

if TYPE_CHECKING:
    from roost.providers.aws.client import Calls

Described = Mapping[str, Any]


def check(calls: Calls, instances: Iterable[Described], new: str) -> None:
    """Raise UsageError with all reasons why these instances cannot be ``new``. Two calls."""
    there = tuple(instances)
    zones = sorted({i["Placement"]["AvailabilityZone"] for i in there})
    with translated(f"look at {new}"):
        try:
            kinds = calls.optional("describe_instance_types", "InstanceTypes", InstanceTypes=[new])
        except calls.ec2.exceptions.ClientError as error:
            if code_of(error) != "InvalidInstanceType":
                raise
            raise UsageError(
                f"this region has no instance type {new}",
                next="roost prices --region ...   (lists what fits)",
            ) from error
        offered = calls.optional(
            "describe_instance_type_offerings",
            "InstanceTypeOfferings",
            LocationType="availability-zone",
            Filters=[
                {"Name": "instance-type", "Values": [new]},
                {"Name": "location", "Values": zones},
            ],
        )
    missing: list[str] = []
    if offered is not None:
        missing = sorted(set(zones) - {one["Location"] for one in offered})
    found = [reason for kind in kinds or () for i in there for reason in why_not(i, kind)]
    if missing:
        found.append(f"{new} is not offered in {', '.join(missing)}, where its volumes are")
    if found:
        ways = f"roost prices   (lists others); or {new} in the file, then: roost park, roost up"
        raise UsageError("; ".join(dict.fromkeys(found)), next=ways)


def why_not(instance: Described, kind: Described) -> Iterator[str]:
    """Yield what does not fit between an instance and a type, as EC2 describes them."""
    new = kind["InstanceType"]
    arches = kind.get("ProcessorInfo", {}).get("SupportedArchitectures", ())
    arch = instance.get("Architecture", "x86_64")
    if arches and arch not in arches:
        yield f"{new} is {', '.join(arches)}, and the disk is {arch}"
    virtual = instance.get("VirtualizationType", "hvm")
    able = kind.get("SupportedVirtualizationTypes", ())
    if able and virtual not in able:
        yield f"{new} needs {', '.join(able)} virtualization, and the disk is {virtual}"
    if instance.get("InstanceLifecycle") == "spot":
        yield "a spot machine cannot be stopped, so it cannot be changed"
    if instance.get("RootDeviceType", "ebs") != "ebs":
        yield "its disk is the machine's own, which does not survive a stop"
    if kind.get("NetworkInfo", {}).get("EnaSupport") == "required" and not instance.get(
        "EnaSupport", True
    ):
        yield f"{new} needs a system with the ENA network driver"
    most = kind.get("EbsInfo", {}).get("MaximumEbsAttachments")
    disks = len(instance.get("BlockDeviceMappings", ()))
    if most is not None and disks > most:
        yield f"{new} takes {most} volumes, and it has {disks}"
