"""The network of the machines: one subnet in each zone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
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
    """Return the default VPC's subnets, or those the file names. One call, or two for the latter.

    Of a VPC's own subnets the public ones are taken. Raises RoostError where there is no network,
    or only private ones, with what to do.
    """
    found = calls.every("describe_subnets", "Subnets", **_asked(aws))
    wanted = aws.zones if aws else ()
    if aws is not None and (aws.vpc or aws.subnet):
        found = _public(calls, [s for s in found if _in_zones(s, wanted)])
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


def _public(calls: Calls, subnets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the public ones; where that is unknown, those in which machines get an address last.

    Raises RoostError where all are private: nobody could reach the machines.
    """
    if not subnets:
        return []
    vpc = subnets[0]["VpcId"]
    mine = [{"Name": "vpc-id", "Values": [vpc]}]
    tables = calls.optional("describe_route_tables", "RouteTables", Filters=mine)
    if tables is None:
        return sorted(subnets, key=lambda s: bool(s.get("MapPublicIpOnLaunch")))
    public = public_subnets(tables, [s["SubnetId"] for s in subnets])
    if not public:
        raise RoostError(
            no_way_out(vpc, sorted({s["AvailabilityZone"] for s in subnets})), next=PUBLIC_ONE
        )
    return [s for s in subnets if s["SubnetId"] in public]


PUBLIC_ONE = (
    "`vpc` or `subnet` in [aws] with a public subnet: one whose route table has an internet gateway"
)
"""The mend for a network that nobody reaches. A private subnet stays private: others rely on it."""


def no_way_out(vpc: str, zones: Iterable[str]) -> str:
    """Return what is wrong with subnets that are private."""
    return f"{vpc} has no route to an internet gateway in {', '.join(zones)}"


def public_subnets(tables: Iterable[Mapping[str, Any]], subnets: Iterable[str]) -> set[str]:
    """Return the subnets whose routes lead to an internet gateway: the way out, and back. Pure."""
    main = False
    own: dict[str, bool] = {}
    for table in tables:
        is_open = any(_to_internet(route) for route in table.get("Routes", ()))
        for link in table.get("Associations", ()):
            if "SubnetId" in link:
                own[link["SubnetId"]] = is_open
            elif link.get("Main"):
                main = is_open
    return {subnet for subnet in subnets if own.get(subnet, main)}


def _to_internet(route: Mapping[str, Any]) -> bool:
    return (
        route.get("DestinationCidrBlock") == "0.0.0.0/0"
        and str(route.get("GatewayId", "")).startswith("igw-")
        and route.get("State", "active") == "active"
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


def _in_zones(subnet: Mapping[str, Any], zones: tuple[str, ...]) -> bool:
    return not zones or subnet["AvailabilityZone"] in zones


def _by_zone(subnet: dict[str, Any]) -> str:
    return str(subnet["AvailabilityZone"])
