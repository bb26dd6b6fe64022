"""Which of the resources that carry a name's tag are roost's. Pure.

Others of the account can write tags too. What roost made carries tags that it can read; anything
else with the name's tag is named, left out of every plan, and never changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from roost.model import nodes
from roost.model.nodes import launched
from roost.model.owner import Foreign
from roost.model.resources import Kind
from roost.providers.aws import requests, tags

Described = Mapping[str, Any]
IDS: dict[Kind, str] = {
    "instance": "InstanceId",
    "volume": "VolumeId",
    "address": "AllocationId",
    "security-group": "GroupId",
    "key-pair": "KeyPairId",
    "snapshot": "SnapshotId",
    "image": "ImageId",
}
DESCRIBED: dict[Kind, tuple[str, str]] = {
    "instance": ("describe_instances", "Reservations"),
    "volume": ("describe_volumes", "Volumes"),
    "address": ("describe_addresses", "Addresses"),
    "security-group": ("describe_security_groups", "SecurityGroups"),
    "key-pair": ("describe_key_pairs", "KeyPairs"),
    "snapshot": ("describe_snapshots", "Snapshots"),
    "image": ("describe_images", "Images"),
}
ROLES = ("head", "worker", "desktop", "seat", "gateway")
MOST_SLOTS = len(requests.DATA_DEVICES)
GOING = frozenset(("terminated", "deleted", "deregistered"))
"""States in which a resource is no more, though EC2 still describes it."""


def sort_out(
    kind: Kind, described: Iterable[Described], name: str
) -> tuple[list[Any], list[Foreign]]:
    """Return those that are roost's, and the others; instances come in reservations."""
    ours: list[Any] = []
    others: list[Foreign] = []

    def mine(one: Described) -> bool:
        if tags.read(one.get("Tags")).get(tags.NAME) != name:
            return False  # an endpoint that knows no filters describes all there is
        why = problem(kind, one, name)
        if why and _state(one) not in GOING:
            others.append(
                Foreign(kind=kind, id=str(one.get(IDS[kind]) or one.get("KeyName", "")), why=why)
            )
        return not why

    for one in described:
        if kind == "instance":
            ours.append({**one, "Instances": [i for i in one["Instances"] if mine(i)]})
        elif mine(one):
            ours.append(one)
    return ours, others


def _state(described: Described) -> str:
    state = described.get("State", "")
    return str(state.get("Name", "") if isinstance(state, dict) else state)


def problem(kind: Kind, described: Described, name: str) -> str:
    """Return what is wrong with a resource's tags; "" if they are roost's."""
    held = tags.read(described.get("Tags"))
    node = held.get(tags.NODE, "")
    if kind == "instance":
        return _of_instance(held, node, int(described.get("AmiLaunchIndex", 0)))
    if kind in ("security-group", "key-pair"):
        own = described.get("GroupName" if kind == "security-group" else "KeyName")
        there = (name, nodes.gateway_firewall(name)) if kind == "security-group" else (name,)
        mine = node in there and own == requests.key_name(node)
        return "" if mine else f"another name than {requests.key_name(name)}, or other tags"
    if kind == "volume" and tags.HOLDER not in held:  # the disk that a machine boots from
        return "" if node else _unreadable(tags.NODE)
    slot = held.get(tags.SLOT, "0")
    good = {
        tags.NODE: nodes.is_node(node),
        tags.HOLDER: nodes.is_node(held.get(tags.HOLDER, node)),
        tags.SLOT: nodes.is_number(slot) and int(slot) < MOST_SLOTS,
        tags.SEALED: kind != "snapshot" or tags.SEALED in held or tags.SOURCE in held,
        tags.SOURCE: kind != "image" or tags.SOURCE in held,
    }
    return "; ".join(_unreadable(key) for key, is_good in good.items() if not is_good)


def _of_instance(held: Mapping[str, str], node: str, index: int) -> str:
    names, role = launched(node), held.get(tags.ROLE)
    if index >= len(names) or not nodes.is_node(names[index]):
        return _unreadable(tags.NODE)
    stem, number = nodes.split(names[index])
    numbered = role in nodes.NUMBERED
    good = role in ROLES and stem == role and (number is not None) == numbered
    return "" if good else _unreadable(tags.ROLE)


def _unreadable(key: str) -> str:
    return f"no tag {key} that roost can read"
