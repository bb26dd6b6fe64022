"""The tags by which roost finds again what it made. Pure.

Every resource carries ``roost`` (the name) and ``roost:node`` (which of the name's resources it
is). EC2 gives all instances of one launch the same tags, so theirs holds the names of the whole
launch, and the instance's launch index says which of them it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from roost.model import nodes
from roost.model.record import read_record

NAME = "roost"
NODE = "roost:node"
ROLE = "roost:role"
PRINT = "roost:fingerprint"
KIND = "roost:kind"
HOLDER = "roost:holder"
MOUNT = "roost:mount"
SLOT = "roost:slot"
ADOPTED = "roost:adopted"
SEALED = "roost:sealed"
TYPE = "roost:type"
SOURCE = "roost:source"
RECIPE = "roost:recipe"
SYSTEM = "roost:system"
MADE_FROM = "roost:made-from"
OF = "roost:of"
OWNER = "roost:owner"
KEY = "roost:key"
FOLLOWS = "roost:follows"
"""On a record: the fewest and the most workers, ``"0..8"``, where their number follows the work."""
BAKING = "roost:baking"
SWAP = "roost:swap"
"""Two machines that have taken each other's place: each is called what the other was. One call
writes it to both, with their volumes, so that no moment has two machines of one name."""
ASIDE = "roost:aside"
"""On a machine whose place a spare has taken."""
MOST = 50
LONGEST = 256
"""Tags of one resource, and characters of one tag's value, that EC2 takes."""
LONGEST_KEY = 128
IMAGES = "~images"
"""Instead of a name, on baked images and what makes them; no name begins so. ``roost:of`` says of
which name's machine they are."""
TITLE = "Name"
"""What the console shows."""


def tags(name: str, node: str, more: Mapping[str, str], users: Mapping[str, str]) -> dict[str, str]:
    """Return all tags of one resource (or of one launch); the user's own never hide roost's."""
    return {**users, TITLE: f"{name} {node}", NAME: name, NODE: node, **more}


def specification(kind: str, found: Mapping[str, str]) -> dict[str, Any]:
    """Return ``TagSpecifications`` of a call that creates."""
    return {"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in found.items()]}


def read(found: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Return the tags of a resource as EC2 describes them; longer ones than EC2 takes are none."""
    pairs = ((tag.get("Key", ""), tag.get("Value", "")) for tag in found or ())
    held = {k: v for k, v in pairs if len(k) <= LONGEST_KEY and len(v) <= LONGEST}
    return _swapped(held) if held.get(SWAP) else held


def follows(record: str | None) -> str:
    """Return the value of ``FOLLOWS`` for the settings of a record; empty where there is none."""
    found = read_record(record).follows
    return f"{found[0]}..{found[1]}" if found else ""


def range_in(held: Mapping[str, str]) -> tuple[int, int] | None:
    """Return the range that ``follows`` wrote; None for none, and for what it did not write."""
    found = re.fullmatch(r"([0-9]{1,5})\.\.([0-9]{1,5})", held.get(FOLLOWS, ""))
    return (int(found[1]), int(found[2])) if found else None


def _swapped(held: dict[str, str]) -> dict[str, str]:
    """Return the tags of what has taken another's place, as they are to be read."""
    pair = held[SWAP].split()
    if len(pair) != 2 or not all(map(nodes.is_node, pair)):
        return held
    other = {pair[0]: pair[1], pair[1]: pair[0]}
    node, holder = held.get(NODE, ""), held.get(HOLDER)
    if holder is None:
        names = [other.get(one, one) for one in nodes.launched(node)]
        return {**held, NODE: nodes.launch(names)}
    if holder not in other:
        return held
    name = node.removeprefix(f"{holder}-")
    named = node if name == node else f"{other[holder]}-{name}"
    return {**held, HOLDER: other[holder], NODE: named}
