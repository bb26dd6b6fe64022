"""Who may enter: rules of security groups, from Neutron's descriptions and to its requests. Pure.

Whom a rule is for stands in its description (``roost.providers.callers``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from roost.model.resources import EVERY, Rule, RuleOf
from roost.providers.callers import FILE, ME, Caller, description_of, network_of, rule_of, seen

Described = Mapping[str, Any]
Key = tuple[Any, ...]
ANYWHERE = {"IPv4": "0.0.0.0/0", "IPv6": "::/0"}
"""What a rule without a network lets in."""


def entering(group: Described) -> list[Described]:
    """Return the rules by which somebody enters; not those of the group's own machines."""
    found = group.get("security_group_rules")
    listed = [rule for rule in found if isinstance(rule, dict)] if isinstance(found, list) else []
    return [r for r in listed if r.get("direction") == "ingress" and not r.get("remote_group_id")]


def lets_people_in(groups: Iterable[Described]) -> bool:
    """Tell if a rule of somebody's own address is among them: the caller's must be known then."""
    every = (rule for group in groups for rule in entering(group))
    return any(str(rule.get("description") or "").startswith(ME) for rule in every)


def _from_groups(group: Described) -> list[Described]:
    """Return the rules by which all machines of a group enter."""
    found = group.get("security_group_rules")
    listed = [rule for rule in found if isinstance(rule, dict)] if isinstance(found, list) else []
    inward = [r for r in listed if r.get("direction") == "ingress" and r.get("remote_group_id")]
    return [r for r in inward if r.get("protocol") is None]


def rules(
    group: Described, caller: Caller, names: Mapping[str, str] = MappingProxyType({})
) -> tuple[Rule, ...]:
    """Return the rules of a group; what is open to the caller's address also as ``"caller"``.

    ``names`` are the name's firewalls by their ids; a rule for a group of somebody's is not told.
    Where one family of addresses is open, and not the other, it is told all the same.
    """
    remote = dict.fromkeys(str(rule["remote_group_id"]) for rule in _from_groups(group))
    found = [Rule(port=EVERY, source=names[one], of="file") for one in remote if one in names]
    for rule in entering(group):
        cidr = _cidr(rule)
        tcp = rule.get("protocol") in ("tcp", "6", 6)
        first, last = rule.get("port_range_min"), rule.get("port_range_max")
        one_port = tcp and first == last and isinstance(first, int)
        owner: RuleOf = rule_of(str(rule.get("description") or ""), caller) if one_port else "hand"
        port = first if tcp and isinstance(first, int) else 0
        found += seen(port, cidr, owner, caller)
    return tuple(found)


def _cidr(rule: Described) -> str:
    family = str(rule.get("ethertype"))
    return str(rule.get("remote_ip_prefix") or ANYWHERE.get(family, ""))


def missing(
    group: Described,
    wanted: Iterable[Rule],
    caller: Caller,
    ids: Callable[[str], str] = str,
    *,
    alone: bool = False,
) -> list[dict[str, Any]]:
    """Return the requests for what a group lacks: of ``wanted``, and of its own machines.

    ``ids`` gives the id of a firewall by its name; ``alone``: its own machines stay apart.
    """
    there = {_key(rule) for rule in group.get("security_group_rules") or ()}
    networks = [_request(group["id"], rule, caller) for rule in wanted if not rule.firewall]
    remote = [ids(rule.firewall) for rule in wanted if rule.firewall]
    machines = [
        {
            "security_group_id": group["id"],
            "direction": "ingress",
            "ethertype": family,
            "remote_group_id": one,
            "description": FILE,
        }
        for one in (*remote, *(() if alone else (group["id"],)))
        for family in ANYWHERE
    ]
    lacking: dict[Key, dict[str, Any]] = {}
    for asked in [*networks, *machines]:
        if _key(asked) not in there:
            lacking.setdefault(_key(asked), asked)
    return list(lacking.values())


def _request(group_id: str, rule: Rule, caller: Caller) -> dict[str, Any]:
    cidr = network_of(rule, caller)
    return {
        "security_group_id": group_id,
        "direction": "ingress",
        "ethertype": "IPv6" if ":" in cidr else "IPv4",
        "protocol": "tcp",
        "port_range_min": rule.port,
        "port_range_max": rule.port,
        "remote_ip_prefix": cidr,
        "description": description_of(rule, caller),
    }


def _key(rule: Described) -> Key:
    """Return what Neutron tells rules apart by; a network that is everything is as good as none."""
    family = rule.get("ethertype")
    prefix = rule.get("remote_ip_prefix")
    return (
        rule.get("direction"),
        family,
        rule.get("protocol"),
        rule.get("port_range_min"),
        rule.get("port_range_max"),
        None if prefix == ANYWHERE.get(str(family)) else prefix,
        rule.get("remote_group_id"),
    )


def going(group: Described, rules: Iterable[Rule], ids: Callable[[str], str] = str) -> list[str]:
    """Return the ids of the rules that close these networks on these ports, or these firewalls."""
    closed = {(rule.port, rule.cidr) for rule in rules}
    remote = {ids(rule.firewall) for rule in rules if rule.firewall}
    machines = [
        str(rule["id"]) for rule in _from_groups(group) if rule["remote_group_id"] in remote
    ]
    return machines + [
        str(rule["id"])
        for rule in entering(group)
        if rule.get("protocol") in ("tcp", "6")
        and rule.get("port_range_min") == rule.get("port_range_max")
        and (rule.get("port_range_min"), _cidr(rule)) in closed
    ]
