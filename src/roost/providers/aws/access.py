"""Who may enter: rules of security groups, from EC2's descriptions and to its requests. Pure.

Each rule that roost makes says so in its description, and for whom: what the file names, or whoever
said "me", by the fingerprint of their key. A rule with another description was made by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from roost.model.resources import Rule, RuleOf

Described = Mapping[str, Any]
Key = tuple[Any, ...]
FILE = "roost"
"""The description of a rule for a network that the file names."""
ME = "roost: me "
"""The description of a rule for somebody's own address begins so; their key follows."""
ME_BEFORE = "roost: caller"
"""The same as an older roost wrote it, which did not say whose address it was."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever runs roost: the CIDR of their address, and their key; "" for what is not known."""

    cidr: str = ""
    key: str = ""


def lets_people_in(groups: Iterable[Described]) -> bool:
    """Tell if a rule of somebody's own address is among them: the caller's must be known then."""
    texts = (place.get("Description") or "" for _, place in _places(groups))
    return any(text.startswith((ME, ME_BEFORE)) for text in texts)


def rules(group: Described, caller: Caller) -> tuple[Rule, ...]:
    """Return the rules of a group; what is open to the caller's address also as ``"caller"``."""
    found: list[Rule] = []
    for permission, place in _places([group]):
        cidr = str(place.get("CidrIp") or place.get("CidrIpv6") or "")
        ours = _is_ours(permission)
        owner: RuleOf = _owner(place.get("Description") or "", caller) if ours else "hand"
        port = int(permission.get("FromPort", 0)) if permission.get("IpProtocol") == "tcp" else 0
        found.append(Rule(port=port, source=cidr, cidr=cidr, of=owner))
        if cidr and cidr == caller.cidr:
            found.append(Rule(port=port, source="caller", cidr=cidr, of=owner))
    return tuple(found)


def _owner(description: str, caller: Caller) -> RuleOf:
    if description == FILE:
        return "file"
    if description == ME_BEFORE:
        return "somebody"
    if description.startswith(ME):
        mine = caller.key != "" and description == ME + caller.key
        return "me" if mine else "colleague"
    return "hand"


def _is_ours(permission: Described) -> bool:
    same = permission.get("FromPort") == permission.get("ToPort")
    return permission.get("IpProtocol") == "tcp" and same


def _places(groups: Iterable[Described]) -> Iterable[tuple[Described, Described]]:
    for group in groups:
        for permission in group.get("IpPermissions", ()):
            for place in (*permission.get("IpRanges", ()), *permission.get("Ipv6Ranges", ())):
                yield permission, place


def missing(
    group_id: str, wanted: Iterable[Rule], caller: Caller, described: Described
) -> list[dict[str, Any]]:
    """Return the permissions that a group lacks: of ``wanted``, and of the name's own machines.

    EC2 knows a rule by protocol, ports and network. So a network that is named twice, by itself and
    as the caller's address, is asked for once, and what is there is not asked for again.
    """
    own = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group_id}]}
    asked = [*(permission(rule, caller) for rule in wanted), own]
    there = {key for one in described.get("IpPermissions", ()) for key in _keys(one)}
    lacking: dict[Key, dict[str, Any]] = {}
    for one in asked:
        (key,) = _keys(one)
        if key not in there:
            lacking.setdefault(key, one)
    return list(lacking.values())


def _keys(permission: Described) -> list[Key]:
    """Return what EC2 tells rules apart by."""
    protocol = permission.get("IpProtocol")
    ports = (permission.get("FromPort"), permission.get("ToPort")) if protocol != "-1" else ()
    places = (
        *(place.get("CidrIp") for place in permission.get("IpRanges", ())),
        *(place.get("CidrIpv6") for place in permission.get("Ipv6Ranges", ())),
        *(pair.get("GroupId") for pair in permission.get("UserIdGroupPairs", ())),
    )
    return [(protocol, ports, place) for place in places]


def permission(rule: Rule, caller: Caller) -> dict[str, Any]:
    """Return the permission of a rule, with its description."""
    mine = rule.source == "caller"
    cidr = caller.cidr if mine else rule.source
    six = ":" in cidr
    text = ME + caller.key if mine else FILE
    place = {"CidrIpv6" if six else "CidrIp": cidr, "Description": text}
    return {**_port(rule.port), "Ipv6Ranges" if six else "IpRanges": [place]}


def revoked(rule: Rule) -> dict[str, Any]:
    """Return the permission to take back: EC2 wants its network, and no description."""
    six = ":" in rule.cidr
    place = {"CidrIpv6" if six else "CidrIp": rule.cidr}
    return {**_port(rule.port), "Ipv6Ranges" if six else "IpRanges": [place]}


def _port(port: int) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
