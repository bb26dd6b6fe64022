"""The network that machines are put on: one subnet in each zone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from roost.errors import RoostError

if TYPE_CHECKING:
    from roost.clouds.aws.calls import Calls
    from roost.spec.aws import Aws


@dataclass(frozen=True, slots=True)
class Network:
    """A VPC, and the subnet of each zone, in the order in which zones are tried."""

    vpc: str
    subnets: dict[str, str]

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones, the preferred one first."""
        return tuple(self.subnets)


def find_network(calls: Calls, aws: Aws | None) -> Network:
    """The default VPC's subnets, or those the file names. One call.

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
            next=f"aws ec2 create-default-vpc --region {region}   (or [aws] vpc = ... in the file)",
        )
    return Network(
        vpc=subnets[zones[0]]["VpcId"], subnets={z: subnets[z]["SubnetId"] for z in zones}
    )


def _asked(aws: Aws | None) -> dict[str, Any]:
    if aws is not None and aws.subnet is not None:
        return {"SubnetIds": [aws.subnet]}
    if aws is not None and aws.vpc is not None:
        return {"Filters": [{"Name": "vpc-id", "Values": [aws.vpc]}]}
    return {"Filters": [{"Name": "default-for-az", "Values": ["true"]}]}


def _by_zone(subnet: dict[str, Any]) -> str:
    return str(subnet["AvailabilityZone"])
