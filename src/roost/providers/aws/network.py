"""The network of the machines: one subnet in each zone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from roost.errors import RoostError, UsageError, command_line
from roost.model.finding import Finding

if TYPE_CHECKING:
    from roost.model.record import Recorded
    from roost.providers.aws.client import Calls
    from roost.spec.access import Access
    from roost.spec.aws import Aws


MOST_ADDRESSES = 20
"""So many private addresses are tried: others choose theirs from the same few thousand."""


@dataclass(frozen=True, slots=True)
class Network:
    """A VPC, and the subnet of each zone, in the order in which zones are tried.

    ``cidrs`` are the subnets' addresses by zone; ``listed`` the zones that the file names;
    ``public``: machines get a public address. ``outer`` is the network of a gateway, where that is
    another one: the public subnets of the same VPC.
    """

    vpc: str
    subnets: dict[str, str]
    cidrs: dict[str, str] = field(default_factory=dict)
    listed: tuple[str, ...] = ()
    public: bool = True
    outer: Network | None = None

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones, the preferred one first."""
        return tuple(self.subnets)


def network_of(calls: Calls, aws: Aws | None, access: Access | Recorded) -> Network:
    """Return the network of machines that are reached in this way. Raises RoostError."""
    way_in = access.makes_gateway
    return find_network(calls, aws, public=way_in or access.reach == "public", gateway=way_in)


def find_network(
    calls: Calls, aws: Aws | None, *, public: bool = True, gateway: bool = False
) -> Network:
    """Return the default VPC's subnets, or those the file names. Two calls.

    The public ones are taken, or those that are not and have a way out: a default VPC, too, can
    have lost its internet gateway.
    With a ``gateway``, which is in a public one, machines are in private ones if any leads out.
    Raises RoostError where there is no network, or none of that kind, with what to do.
    """
    found = calls.every("describe_subnets", "Subnets", **_asked(aws))
    if not found:
        return _network(found, aws, public=public)
    found = [s for s in found if _in_zones(s, aws.zones if aws else ())]
    mine = [{"Name": "vpc-id", "Values": [one["VpcId"] for one in found[:1]]}]
    tables = calls.optional("describe_route_tables", "RouteTables", Filters=mine) if found else None
    network = _network(_of_kind(found, tables, public=public), aws, public=public)
    inner = private_subnets(tables or (), [s["SubnetId"] for s in found]) if gateway else ()
    if not inner:
        return network
    private = [s for s in found if s["SubnetId"] in inner]
    return replace(_network(private, aws, public=False), outer=network)


def _network(found: list[dict[str, Any]], aws: Aws | None, *, public: bool) -> Network:
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
        public=public,
    )


def _of_kind(
    subnets: list[dict[str, Any]], tables: list[dict[str, Any]] | None, *, public: bool
) -> list[dict[str, Any]]:
    """Return the public or private ones; where that is unknown, the more likely ones last.

    Raises RoostError where there are none: nobody could reach the machines, or they nothing.
    """
    if not subnets:
        return []
    if not tables:  # every VPC has one: nobody may look, or the endpoint knows none
        return sorted(subnets, key=lambda s: bool(s.get("MapPublicIpOnLaunch")) == public)
    ids = [s["SubnetId"] for s in subnets]
    good = public_subnets(tables, ids) if public else private_subnets(tables, ids)
    if not good:
        zones = sorted({s["AvailabilityZone"] for s in subnets})
        raise RoostError(
            no_way_out(subnets[0]["VpcId"], zones, public=public),
            next=PUBLIC_ONE if public else PRIVATE_ONE,
        )
    return [s for s in subnets if s["SubnetId"] in good]


def check_groups(calls: Calls, aws: Aws | None, vpc: str) -> None:
    """Raise UsageError where a security group that the file names is not in the VPC."""
    if aws is None or not aws.security_groups:
        return
    mine = [{"Name": "group-id", "Values": list(aws.security_groups)}]
    found = calls.every("describe_security_groups", "SecurityGroups", Filters=mine)
    there = {one["GroupId"] for one in found if one.get("VpcId") == vpc}
    if missing := [group for group in aws.security_groups if group not in there]:
        raise UsageError(
            f"[aws] security_groups: {', '.join(missing)} is not in {vpc}",
            next=command_line("aws", "ec2", "describe-security-groups", "--region", aws.region),
        )


PUBLIC_ONE = (
    "`vpc` or `subnet` in [aws] with a public subnet: one whose route table has an internet gateway"
)
"""The mend for a network that nobody reaches. A private subnet stays private: others rely on it."""

PRIVATE_ONE = (
    "`vpc` or `subnet` in [aws] with a private subnet that has a way out: one whose route table has"
    " a NAT gateway"
)


def no_way_out(vpc: str, zones: Iterable[str], *, public: bool = True) -> str:
    """Return what is wrong with subnets of the other kind."""
    where = ", ".join(zones)
    if public:
        return f"{vpc} has no route to an internet gateway in {where}"
    return f"{vpc} has no private subnet in {where} that leads out, to fetch software"


def public_subnets(tables: Iterable[Mapping[str, Any]], subnets: Iterable[str]) -> set[str]:
    """Return the subnets whose routes lead to an internet gateway: the way out, and back. Pure."""
    return _subnets(tables, subnets, _to_internet)


def private_subnets(tables: Iterable[Mapping[str, Any]], subnets: Iterable[str]) -> set[str]:
    """Return the subnets that have a way out, and no internet gateway. Pure."""
    return _subnets(tables, subnets, lambda r: _leads_out(r) and not _to_internet(r))


def _subnets(
    tables: Iterable[Mapping[str, Any]],
    subnets: Iterable[str],
    fits: Callable[[Mapping[str, Any]], bool],
) -> set[str]:
    main = False
    own: dict[str, bool] = {}
    for table in tables:
        is_open = any(fits(route) for route in table.get("Routes", ()))
        for link in table.get("Associations", ()):
            if "SubnetId" in link:
                own[link["SubnetId"]] = is_open
            elif link.get("Main"):
                main = is_open
    return {subnet for subnet in subnets if own.get(subnet, main)}


def _leads_out(route: Mapping[str, Any]) -> bool:
    everywhere = route.get("DestinationCidrBlock") == "0.0.0.0/0"
    return everywhere and route.get("State", "active") == "active"


def _to_internet(route: Mapping[str, Any]) -> bool:
    return _leads_out(route) and str(route.get("GatewayId", "")).startswith("igw-")


def judge_routes(tables: Iterable[Mapping[str, Any]], network: Network) -> Finding:
    """Judge whether each subnet has an internet gateway: the way out, and back for SSH.

    A private network has another way out.
    """
    fit = public_subnets if network.public else private_subnets
    good = fit(tables, network.subnets.values())
    closed = [zone for zone, subnet in network.subnets.items() if subnet not in good]
    if not closed:
        text = f"{network.vpc}: {', '.join(network.zones)}"
        return Finding(check="network", verdict="ok", text=text)
    text = no_way_out(network.vpc, closed, public=network.public)
    mend = PUBLIC_ONE if network.public else PRIVATE_ONE
    return Finding(check="network", verdict="problem", text=text, mend=mend)


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
