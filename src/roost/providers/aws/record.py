"""The launch template that keeps the record of a name; its tags outlive the machines.

Its latest version has the file's settings as user-data and, beside them, the copies that the name
comes back from: packed in the same user-data or, where there are too many for one, in versions
before it, which it names. So one call makes all of it count, and a kill before that none.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass, replace
from typing import Any

from roost.errors import CloudError
from roost.model.owner import Owner
from roost.model.record import read_backups, write_backups
from roost.model.resources import Backup
from roost.providers.aws import requests, tags
from roost.providers.aws.client import Calls
from roost.providers.aws.failures import is_absent
from roost.providers.aws.ownership import owner_in

WHOLE, PART, PARTS = b"1", b"2", b"3"
"""What a block is: all copies; a part of them; the versions that have the parts.

A part has the number of the version that counted before, for whoever finds it as the latest."""
NUMBER = struct.Struct(">I")
MOST_PARTS = 150
"""Versions of one set: EC2 describes 200 at once."""
LEAST_ROOM = 1000
"""Bytes of a part that are worth a version."""
MOST_BYTES = requests.USER_DATA_LIMIT // 4 * 3 - 64


@dataclass(frozen=True, slots=True)
class Kept:
    """What a template keeps: the file's settings, and copies; ``unread``: some cannot be read.

    ``version`` is the one that counts, ``block`` what it has of the copies, ``owner`` whose it is.
    """

    record: str | None = None
    backups: tuple[Backup, ...] = ()
    version: int = 0
    block: bytes = b""
    unread: bool = False
    owner: Owner | None = None


def template(calls: Calls, name: str) -> dict[str, Any] | None:
    """Return the template as EC2 describes it, with its ``Tags``; None: there is no record."""
    answer = calls.unless_gone(
        calls.ec2.describe_launch_templates, LaunchTemplateNames=[requests.template_name(name)]
    )
    if not answer or not answer["LaunchTemplates"]:
        return None
    found: dict[str, Any] = answer["LaunchTemplates"][0]
    return {"Tags": [], **found}


def is_ours(calls: Calls, name: str) -> bool:
    """Tell whether the template of that name carries the name's tag: else it is somebody's."""
    found = template(calls, name)
    return found is not None and tags.read(found["Tags"]).get(tags.NAME) == name


def read(calls: Calls, name: str) -> Kept:
    """Return what the template keeps, in one call, or two where many copies are recorded."""
    versions = _versions(calls, name, ["$Latest"])
    if not versions:
        return Kept()
    latest = versions[0]["LaunchTemplateData"]
    record, version = requests.record_in(latest), int(versions[0]["VersionNumber"])
    block, counting = requests.block_in(latest), versions[0]
    if block[:1] == PART:  # killed before the version that counts: the one before it does
        version = int(NUMBER.unpack_from(block, 1)[0]) if len(block) > NUMBER.size else 0
        before = _versions(calls, name, [str(version)]) if version else []
        block = requests.block_in(before[0]["LaunchTemplateData"]) if before else b""
        counting = before[0] if before else counting
    data = _joined(calls, name, block)
    backups = _unpacked(data) if data is not None else None
    # A template without a record in it is one that nobody can read, and not none.
    return Kept(
        record or "",
        backups or (),
        version,
        block,
        unread=backups is None,
        owner=owner_in(counting),
    )


def _joined(calls: Calls, name: str, block: bytes) -> bytes | None:
    """Return the packed copies that a block has or leads to; None where some of it is missing."""
    kind, data = block[:1], block[1:]
    if not block or kind == WHOLE:
        return data
    try:
        numbers = [str(int(number)) for number in json.loads(data)] if kind == PARTS else []
    except (ValueError, TypeError):
        return None
    there = {
        str(one["VersionNumber"]): requests.block_in(one["LaunchTemplateData"])
        for one in (_versions(calls, name, numbers) if numbers else ())
    }
    parts = [there.get(number, b"") for number in numbers]
    if not parts or any(part[:1] != PART for part in parts):
        return None
    return b"".join(part[1 + NUMBER.size :] for part in parts)


def _versions(calls: Calls, name: str, numbers: list[str]) -> list[dict[str, Any]]:
    """Return these versions; none where somebody has deleted one, or the template."""
    asked = {"LaunchTemplateName": requests.template_name(name), "Versions": numbers}
    call, field = "describe_launch_template_versions", "LaunchTemplateVersions"
    try:
        if len(numbers) == 1:
            return list(calls.ec2.describe_launch_template_versions(**asked)[field])
        return calls.every(call, field, **asked)
    except calls.ec2.exceptions.ClientError as error:
        if not is_absent(error):
            raise
        return []


def _unpacked(data: bytes) -> tuple[Backup, ...] | None:
    if not data:
        return ()
    try:
        text = zlib.decompressobj().decompress(data, 2**25).decode()
    except (zlib.error, ValueError):
        return None
    return read_backups(text)


def blocks(record: str, backups: tuple[Backup, ...]) -> list[bytes]:
    """Return the packed copies, cut so that each fits beside the record.

    Raises CloudError where there is no room.
    """
    if not backups:
        return []
    data = zlib.compress(write_backups(backups).encode(), 9)
    taken = len(requests.packed(record)) // 4 * 3
    room = MOST_BYTES - taken
    if len(data) <= room:
        return [data]
    if room < LEAST_ROOM or len(data) > room * MOST_PARTS:
        raise CloudError(
            f"{len(backups)} copies cannot be recorded beside a file of {taken} bytes: there is no"
            " room; nothing was deleted",
            next="a shorter file (fewer commands and packages in it), then: roost up FILE",
        )
    return [data[at : at + room] for at in range(0, len(data), room)]


def write(calls: Calls, name: str, kept: Kept, told: str) -> Kept:
    """Write settings and copies as one new version, or, where they are many, several.

    The version that counts comes last: killed before it, ``kept.version`` counts, the one that did.
    ``told`` is the description. Return what is kept then. Raises CloudError: there is no room.
    """
    record = kept.record or ""

    def version(block: bytes) -> dict[str, Any]:
        asked = requests.template_version(name, record, block)
        answer = calls.ec2.create_launch_template_version(**asked, VersionDescription=told)
        made: dict[str, Any] = answer["LaunchTemplateVersion"]
        return made

    if kept.unread:  # what a later roost wrote stays beside the settings
        return replace(kept, owner=owner_in(version(kept.block)))
    parts = blocks(record, kept.backups)
    block = WHOLE + parts[0] if parts else b""
    if len(parts) > 1:
        made = [version(PART + NUMBER.pack(kept.version) + part) for part in parts]
        numbers = [int(one["VersionNumber"]) for one in made]
        block = PARTS + json.dumps(numbers, separators=(",", ":")).encode()
    last = version(block)
    number, owner = int(last["VersionNumber"]), owner_in(last)
    return replace(kept, version=number, block=block, owner=owner)
