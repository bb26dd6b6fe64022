"""Who may enter: rules of security groups, from EC2's descriptions and to its requests. Pure.

Whom a rule is for stands in its description (``roost.providers.callers``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from roost.model.resources import EVERY, Rule, RuleOf
from roost.providers.callers import ME, Caller, description_of, network_of, rule_of, seen

Described = Mapping[str, Any]
Key = tuple[Any, ...]
ME_BEFORE = "roost: caller"
"""The description that an older roost gave such a rule; it did not say whose address it was."""


def lets_people_in(groups: Iterable[Described]) -> bool:
    """Tell if a rule of somebody's own address is among them: the caller's must be known then."""
    texts = (place.get("Description") or "" for _, place in _places(groups))
    return any(text.startswith((ME, ME_BEFORE)) for text in texts)


def rules(
    group: Described, caller: Caller, names: Mapping[str, str] = MappingProxyType({})
) -> tuple[Rule, ...]:
    """Return the rules of a group; what is open to the caller's address also as ``"caller"``.

    ``names`` are the name's firewalls by their ids; a rule for a group of somebody's is not told.
    """
    found = [
        Rule(port=EVERY, source=names[one], of="file")
        for permission in group.get("IpPermissions", ())
        for pair in permission.get("UserIdGroupPairs", ())
        if (one := str(pair.get("GroupId"))) in names and permission.get("IpProtocol") == "-1"
    ]
    for permission, place in _places([group]):
        cidr = str(place.get("CidrIp") or place.get("CidrIpv6") or "")
        ours = _is_ours(permission)
        owner: RuleOf = _owner(place.get("Description") or "", caller) if ours else "hand"
        port = int(permission.get("FromPort", 0)) if permission.get("IpProtocol") == "tcp" else 0
        found += seen(port, cidr, owner, caller)
    return tuple(found)


def _owner(description: str, caller: Caller) -> RuleOf:
    return "somebody" if description == ME_BEFORE else rule_of(description, caller)


def _is_ours(permission: Described) -> bool:
    same = permission.get("FromPort") == permission.get("ToPort")
    return permission.get("IpProtocol") == "tcp" and same


def _places(groups: Iterable[Described]) -> Iterable[tuple[Described, Described]]:
    for group in groups:
        for permission in group.get("IpPermissions", ()):
            for place in (*permission.get("IpRanges", ()), *permission.get("Ipv6Ranges", ())):
                yield permission, place


def missing(
    group_id: str,
    wanted: Iterable[Rule],
    caller: Caller,
    described: Described,
    ids: Callable[[str], str] = str,
    *,
    alone: bool = False,
) -> list[dict[str, Any]]:
    """Return the permissions that a group lacks: of ``wanted``, and of the name's own machines.

    ``ids`` gives the id of a firewall by its name; ``alone``: its own machines stay apart.

    EC2 knows a rule by protocol, ports and network. So a network that is named twice, by itself and
    as the caller's address, is asked for once, and what is there is not asked for again.
    """
    own = [] if alone else [_from_group(group_id)]
    asked = [*(permission(rule, caller, ids) for rule in wanted), *own]
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


def permission(rule: Rule, caller: Caller, ids: Callable[[str], str] = str) -> dict[str, Any]:
    """Return the permission of a rule, with its description."""
    if rule.firewall:
        return _from_group(ids(rule.firewall))
    cidr = network_of(rule, caller)
    six = ":" in cidr
    place = {"CidrIpv6" if six else "CidrIp": cidr, "Description": description_of(rule, caller)}
    return {**_port(rule.port), "Ipv6Ranges" if six else "IpRanges": [place]}


def revoked(rule: Rule, ids: Callable[[str], str] = str) -> dict[str, Any]:
    """Return the permission to take back: EC2 wants its network, and no description."""
    if rule.firewall:
        return _from_group(ids(rule.firewall))
    six = ":" in rule.cidr
    place = {"CidrIpv6" if six else "CidrIp": rule.cidr}
    return {**_port(rule.port), "Ipv6Ranges" if six else "IpRanges": [place]}


def _from_group(group_id: str) -> dict[str, Any]:
    return {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group_id}]}


def _port(port: int) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
