"""The record of a name where a site takes no images: in the tags of a security group.

The group has no rules and no members; its description says what it is. Neutron takes 50 tags, which
hold some 11,000 characters of a packed record: enough for all files but the longest.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from roost.errors import UsageError
from roost.providers.openstack import marks
from roost.providers.openstack.client import Site
from roost.providers.openstack.failures import CallError

if TYPE_CHECKING:
    from roost.providers.openstack.record import Kept

NODE = "record"
"""The node in its description; no machine is called so."""
MOST_TAGS = 50
LENGTHS = (245, 55)
"""Characters of one part: Neutron takes tags of 255, and before 2024 of 60."""
PART = re.compile(r"r(\d\d):([A-Za-z0-9+/=]+)")
LONGEST = 2_000_000


def is_record(group: Mapping[str, Any], name: str | None = None) -> bool:
    """Tell whether a security group keeps the record of a name, or of any."""
    named, node = marks.read_description(group.get("description"))
    return node == NODE and bool(named) and name in (None, named)


def read(group: Mapping[str, Any]) -> Kept:
    """Return what a group keeps; what cannot be read is not there."""
    from roost.providers.openstack.record import kept_in

    held = _unpacked(group.get("tags"))
    return kept_in(held, str(group.get("id", "")), group.get("created_at"), in_group=True)


def create(site: Site, name: str, kept: Kept) -> Kept:
    """Make the group, and write: Neutron has no one call for both."""
    from dataclasses import replace

    body = {"name": marks.title(name), "description": marks.description(name, NODE)}
    made = site.post("network", "/security-groups", {"security_group": body})["security_group"]
    return write(site, replace(kept, id=str(made["id"]), in_group=True))


def write(site: Site, kept: Kept) -> Kept:
    """Write all that is kept, in one call. Raises UsageError where it is too long."""
    from roost.providers.openstack.record import kept_in, properties

    held = {**kept.held, **properties(kept)}
    for length in LENGTHS:
        tags = _packed(held, length)
        if len(tags) > MOST_TAGS:
            break
        try:
            site.call("PUT", "network", f"/security-groups/{kept.id}/tags", body={"tags": tags})
        except CallError as error:
            if error.status != 400 or length == LENGTHS[-1]:
                raise
        else:
            return kept_in(held, kept.id, kept.created, in_group=True)
    raise UsageError(
        "the file is too long to be kept at this site, which takes no images of yours",
        next="a shorter file (fewer commands and packages in it)",
    )


def _packed(held: Mapping[str, str], length: int) -> list[str]:
    text = json.dumps(held, separators=(",", ":"), sort_keys=True)
    packed = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    parts = [packed[at : at + length] for at in range(0, len(packed), length)]
    return [marks.TAG, *(f"r{number:02}:{part}" for number, part in enumerate(parts))]


def _unpacked(tags: Any) -> dict[str, str]:
    """Return the properties that tags hold; none where they cannot be read."""
    listed: Iterable[Any] = tags if isinstance(tags, list) else ()
    found = [m for tag in listed if isinstance(tag, str) and (m := PART.fullmatch(tag))]
    parts = {int(m[1]): m[2] for m in found}
    text = "".join(parts.get(number, "") for number in range(len(parts)))
    try:
        unpacking = zlib.decompressobj()
        raw = unpacking.decompress(base64.b64decode(text, validate=True), LONGEST)
        held = json.loads(raw) if unpacking.eof else {}
    except (ValueError, zlib.error, RecursionError):
        return {}
    pairs = held.items() if isinstance(held, dict) else ()
    return {k: v for k, v in pairs if k.startswith("roost_") and isinstance(v, str)}
