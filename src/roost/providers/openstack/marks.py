"""The marks by which roost finds again what it made: written at creation, parsed, not believed.

Servers and volumes carry them as metadata, images as tags and properties, and what Neutron has in
its description, as tags need a second call there. Names are not unique on OpenStack, and others
have machines in the same project: what has no mark of the name is not looked at.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from roost.model import nodes

NAME = "roost"
NODE = "roost_node"
ROLE = "roost_role"
PRINT = "roost_fingerprint"
WISH = "roost_wish"
HOLDER = "roost_holder"
MOUNT = "roost_mount"
SLOT = "roost_slot"
TYPE = "roost_type"
ADOPTED = "roost_adopted"
SOURCE = "roost_source"
SEALED = "roost_sealed"
SIZE = "roost_size"
VOLUME = "roost_volume_"
"""Begins the metadata of a server that names the volume of a slot, by its id."""
TAG = "roost"
"""The tag of every server and image of roost."""
LONGEST = 255
"""Characters of one value that Nova, Cinder and Neutron take."""
ROLES = ("head", "worker", "desktop", "seat", "gateway")
MOST_SLOTS = 20
DESCRIPTION = re.compile(r"roost:([a-z0-9-]{1,63}):([a-z0-9.-]{1,80})")


def tag(name: str) -> str:
    """Return the tag of a name, by which servers and images are asked for."""
    return f"roost:name={name}"


def title(name: str) -> str:
    """Return what a key pair, a firewall and the record of a name are called."""
    return f"roost-{name}"


def description(name: str, node: str) -> str:
    """Return the description of what Neutron has."""
    return f"roost:{name}:{node}"


def read_description(text: Any) -> tuple[str, str]:
    """Return the name and node that a description says; empty for others'."""
    found = DESCRIPTION.fullmatch(str(text or "")[:LONGEST])
    return (found[1], found[2]) if found else ("", "")


def metadata(described: Mapping[str, Any]) -> dict[str, str]:
    """Return the metadata of a server or volume: texts, none longer than Nova takes."""
    held = described.get("metadata")
    pairs = held.items() if isinstance(held, dict) else ()
    return {
        key: value
        for key, value in pairs
        if isinstance(value, str) and len(key) <= LONGEST and len(value) <= LONGEST
    }


def seconds(moment: Any) -> float:
    """Return a time of the site, which is UTC, in seconds since 1970; 0 for none."""
    try:
        found = datetime.fromisoformat(str(moment).replace("Z", "+00:00"))
    except ValueError:
        return 0
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def wish(*parts: object) -> str:
    """Return a digest: the same for the same wish, so that what it made is found again."""
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()[:32]


def users(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the user's own tags as metadata; they never hide roost's."""
    return {k: v[:LONGEST] for k, v in tags.items() if not k.startswith("roost")}


@dataclass(frozen=True, slots=True)
class Server:
    """What the marks of a server say: its node, or what is wrong with them."""

    node: str = ""
    role: str = ""
    wrong: str = ""


def read_server(described: Mapping[str, Any]) -> Server:
    """Return which node a server is: of a launch of several, by the number that ends its name."""
    held = metadata(described)
    names, role = nodes.launched(held.get(NODE, "")), held.get(ROLE, "")
    number = 1
    if len(names) > 1:
        ending = re.search(r"-(\d{1,6})$", str(described.get("name") or "")[:LONGEST])
        if ending is None:
            return Server(wrong="it was renamed: its name must end with its number (-1, -2)")
        number = int(ending[1])
    if not 1 <= number <= len(names) or not nodes.is_node(names[number - 1]):
        return Server(wrong=_unreadable(NODE))
    stem, counted = nodes.split(names[number - 1])
    if role not in ROLES or stem != role or (counted is not None) != (role in nodes.NUMBERED):
        return Server(wrong=_unreadable(ROLE))
    return Server(node=names[number - 1], role=role)


def problem_of_volume(held: Mapping[str, str]) -> str:
    """Return what is wrong with the marks of a volume; empty if they are roost's."""
    node, slot = held.get(NODE, ""), held.get(SLOT, "0")
    good = {
        NODE: nodes.is_node(node),
        HOLDER: nodes.is_node(held.get(HOLDER, node)),
        SLOT: nodes.is_number(slot) and int(slot) < MOST_SLOTS,
    }
    return "; ".join(_unreadable(key) for key, is_good in good.items() if not is_good)


def _unreadable(key: str) -> str:
    return f"no metadata {key} that roost can read"
