"""The record of a name: a Glance image without data, private and hidden.

Its properties hold the file's settings, the copies that the name comes back from, and whose it is.
Long texts are packed and cut into properties of less than 64 KiB, which databases take. One call
makes it, and one changes all of it at once.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from roost.errors import CloudError, UsageError
from roost.model.owner import Owner
from roost.model.record import LONGEST, LONGEST_BACKUPS, read_backups, read_record, write_backups
from roost.model.resources import Backup
from roost.providers.openstack import marks, record_group
from roost.providers.openstack.client import Site
from roost.providers.openstack.failures import CallError

KIND = "roost_kind"
OWNER = "roost_owner"
KEY = "roost_key"
RECORD = "roost_record"
BACKUPS = "roost_backups"
PART = 60_000
"""Characters of one property."""
MOST_PARTS = 40
FORM = {"disk_format": "raw", "container_format": "bare"}
PROPERTY = re.compile(r"(roost_(?:record|backups))_(\d{1,3})")
LISTED = (("os_hidden", "true"), ("visibility", "private"), ("limit", "1000"))
"""What asks for records among the images of a project."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept with the site; ``held`` are the image's properties of roost, as they are.

    ``id`` is the image's; "" where there is none. ``unread``: some of the copies cannot be read.
    ``in_group``: a security group keeps it (``record_group.py``).
    """

    id: str = ""
    record: str | None = None
    backups: tuple[Backup, ...] = ()
    unread: bool = False
    owner: Owner | None = None
    held: Mapping[str, str] = field(default_factory=dict)
    created: datetime | None = None
    in_group: bool = False

    @property
    def kind(self) -> str:
        """The kind of the name, also where the rest cannot be read."""
        return self.held.get(KIND, "unknown")


def find(site: Site, name: str | None = None) -> list[dict[str, Any]]:
    """Return the records of a name, or of all names, as Glance describes them; oldest first."""
    tags = [("tag", marks.TAG), *([("tag", marks.tag(name))] if name else [])]
    mine = [("owner", site.project), *tags]  # an administrator sees those of all projects
    found = site.every("image", "/images", "images", [*LISTED, *mine])
    ours = [one for one in found if name in (None, name_in(one)) and name_in(one)]
    return sorted(ours, key=lambda one: (str(one.get("created_at")), str(one.get("id"))))


def name_in(image: Mapping[str, Any]) -> str:
    """Return the name whose record an image is; empty for any other image."""
    tags = image.get("tags")
    named = [t for t in tags if isinstance(t, str)] if isinstance(tags, list) else []
    names = [t.removeprefix("roost:name=") for t in named if t.startswith("roost:name=")]
    is_record = image.get("os_hidden") is True and image.get("name") == marks.title(
        *names[:1] or ["?"]
    )
    return names[0] if is_record and len(names) == 1 and marks.TAG in named else ""


def read(image: Mapping[str, Any]) -> Kept:
    """Return what an image keeps; what cannot be read is not there."""
    held = {
        key: value
        for key, value in image.items()
        if key.startswith("roost_") and isinstance(value, str)
    }
    return kept_in(held, str(image.get("id", "")), image.get("created_at"))


def kept_in(
    held: Mapping[str, str], record_id: str, created: Any, *, in_group: bool = False
) -> Kept:
    """Return what properties keep; those that cannot be read are not there."""
    backups = unpacked(held, BACKUPS, LONGEST_BACKUPS)
    copies = read_backups(backups) if backups is not None else None
    caller, key = held.get(OWNER), held.get(KEY)
    return Kept(
        id=record_id,
        # A record without settings in it is one that nobody can read, and not none.
        record=unpacked(held, RECORD, LONGEST) or "",
        backups=copies or (),
        unread=copies is None,
        owner=Owner(caller=(caller or "")[:200], key=(key or "")[:60]) if caller or key else None,
        held=held,
        created=_when(created),
        in_group=in_group,
    )


def _when(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None


def properties(kept: Kept) -> dict[str, str]:
    """Return all properties that keep this. Raises UsageError, CloudError where it is too long."""
    owner = kept.owner or Owner()
    found = {OWNER: owner.caller, KEY: owner.key, KIND: read_record(kept.record).kind}
    settings = packed(RECORD, kept.record or "")
    if len(settings) > MOST_PARTS:
        raise UsageError("the file is too long to be kept with the cloud")
    if kept.unread:  # what a later roost wrote stays beside the settings
        copies = {
            k: v for k, v in kept.held.items() if (m := PROPERTY.fullmatch(k)) and m[1] == BACKUPS
        }
    else:
        copies = packed(BACKUPS, write_backups(kept.backups)) if kept.backups else {}
    if len(copies) > MOST_PARTS:
        raise CloudError(
            f"{len(kept.backups)} copies cannot be recorded: there is no room; nothing was deleted",
            next="a shorter file (fewer commands and packages in it), then: roost up FILE",
        )
    return {**found, **settings, **copies}


def packed(key: str, text: str) -> dict[str, str]:
    """Return a text as properties, packed and cut."""
    packed = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    parts = [packed[at : at + PART] for at in range(0, len(packed), PART)]
    return {f"{key}_{number}": part for number, part in enumerate(parts)}


def unpacked(held: Mapping[str, str], key: str, most: int) -> str | None:
    """Return the text that ``packed`` cut: "" for none, None where some of it cannot be read."""
    pattern = re.compile(rf"{key}_(\d{{1,3}})")
    found = {int(m[1]): text for k, text in held.items() if (m := pattern.fullmatch(k))}
    if not any(found.values()):
        return ""
    if found.keys() != set(range(len(found))):
        return None
    parts = [found[number] for number in range(len(found))]
    try:
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(base64.b64decode("".join(parts), validate=True), most)
        return text.decode() if unpacking.eof else None
    except (ValueError, zlib.error):
        return None


def create(site: Site, name: str, kept: Kept) -> Kept:
    """Keep this, in one call; where the site takes no images, in a security group."""
    body = {
        **FORM,
        **properties(kept),
        "name": marks.title(name),
        "visibility": "private",
        "os_hidden": True,
        "tags": [marks.TAG, marks.tag(name)],
    }
    try:
        return read(site.post("image", "/images", body))
    except CallError as error:
        if error.kind not in ("access", "quota"):
            raise
    return record_group.create(site, name, kept)


def write(site: Site, kept: Kept) -> Kept:
    """Change all that is kept, in one call; what others keep there stays."""
    if kept.in_group:
        return record_group.write(site, kept)
    new = properties(kept)
    ours = {key for key in kept.held if PROPERTY.fullmatch(key)}
    changes: list[dict[str, str]] = [
        {"op": "replace" if key in kept.held else "add", "path": f"/{key}", "value": value}
        for key, value in new.items()
        if kept.held.get(key) != value
    ]
    changes += [{"op": "remove", "path": f"/{key}"} for key in sorted(ours - new.keys())]
    if not changes:
        return kept
    return read(site.call("PATCH", "image", f"/images/{kept.id}", body=changes))


def keep(site: Site, kept: Kept, more: Mapping[str, str]) -> Kept:
    """Keep more properties beside the rest, in one call."""
    if kept.in_group:
        return record_group.write(site, replace(kept, held={**kept.held, **more}))
    changes = [{"op": "add", "path": f"/{key}", "value": value} for key, value in more.items()]
    return read(site.call("PATCH", "image", f"/images/{kept.id}", body=changes))
