"""The network of the machines: one subnet in each zone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from roost.errors import RoostError, command_line

if TYPE_CHECKING:
    from roost.providers.aws.client import Calls
    from roost.spec.aws import Aws


MOST_ADDRESSES = 20
"""So many private addresses are tried: others choose theirs from the same few thousand."""


@dataclass(frozen=True, slots=True)
class Network:
    """A VPC, and the subnet of each zone, in the order in which zones are tried.

    ``cidrs`` are the subnets' addresses by zone; ``listed`` the zones that the file names.
    """

    vpc: str
    subnets: dict[str, str]
    cidrs: dict[str, str] = field(default_factory=dict)
    listed: tuple[str, ...] = ()

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones, the preferred one first."""
        return tuple(self.subnets)


def find_network(calls: Calls, aws: Aws | None) -> Network:
    """Return the default VPC's subnets, or those the file names. One call.

    Raises RoostError where there is no network, with the command that makes one.
    """
    found = calls.every("describe_subnets", "Subnets", **_asked(aws))
    wanted = aws.zones if aws else ()
    subnets = {s["AvailabilityZone"]: s for s in sorted(found, key=_by_zone)}
    zones = [zone for zone in wanted if zone in subnets] if wanted else list(subnets)
    if not zones:
        region = aws.region if aws else ""
        place = f"in {', '.join(wanted)}" if wanted else f"in {region}"
        raise RoostError(
            f"there is no default network {place}",
            next=command_line("aws", "ec2", "create-default-vpc", "--region", region)
            + "   (or [aws] vpc = ... in the file)",
        )
    return Network(
        vpc=subnets[zones[0]]["VpcId"],
        subnets={z: subnets[z]["SubnetId"] for z in zones},
        cidrs={z: subnets[z]["CidrBlock"] for z in zones if subnets[z].get("CidrBlock")},
        listed=tuple(zones) if wanted else (),
    )


def private_addresses(cidr: str, name: str) -> Iterator[str]:
    """Yield addresses of a subnet to try for the head of ``name``, always in the same order.

    AWS keeps the first four and the last of each subnet (VPC user guide, "Subnet CIDR blocks").
    """
    subnet = ip_network(cidr)
    usable = subnet.num_addresses - 5
    first = int.from_bytes(hashlib.sha256(f"{name} head".encode()).digest()[:8])
    for number in range(min(usable, MOST_ADDRESSES)):
        yield str(subnet[4 + (first + number) % usable])


def _asked(aws: Aws | None) -> dict[str, Any]:
    if aws is not None and aws.subnet is not None:
        return {"SubnetIds": [aws.subnet]}
    if aws is not None and aws.vpc is not None:
        return {"Filters": [{"Name": "vpc-id", "Values": [aws.vpc]}]}
    return {"Filters": [{"Name": "default-for-az", "Values": ["true"]}]}


def _by_zone(subnet: dict[str, Any]) -> str:
    return str(subnet["AvailabilityZone"])
