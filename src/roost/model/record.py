"""The record of a name, parsed once: what lies with the cloud, and others may have written.

A record is the spec as JSON. What needs all of it reads it with ``roost.spec.from_json``, which
checks every key. This is for what must work with any record, also of a later roost or a damaged
one: to list, connect, stop and delete. It believes nothing: what is not as expected is not there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LONGEST = 1_000_000
"""Characters; a record of a thousand seats has some ten thousand."""
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The content of a record, as far as it can be read.

    ``kind`` is "unknown" where it cannot; ``readable``: the text is a JSON object. ``tags`` are the
    user's own; ``aws`` is the table of that name, unchecked.
    """

    readable: bool = False
    name: str = ""
    kind: str = UNKNOWN
    cloud: str = ""
    scheduler: str = "dask"
    protocol: str = "novnc"
    jupyter: bool = True
    project: str = ""
    ssh_from: tuple[str, ...] = ()
    https_open: bool = False
    lets_me_in: bool = False
    parks_in_s3: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    aws: Mapping[str, Any] | None = None

    def image(self, role: str) -> str:
        """Return the image of a role's machines, as the file names it; "" if that is not known."""
        return self.images.get({"head": "head", "worker": "workers"}.get(role, "machine"), "")


def read_record(text: str | None) -> Recorded:
    """Parse a record. Never raises: what cannot be read is not there."""
    raw = _object(text)
    if raw is None:
        return Recorded()
    access, aws = _table(raw, "access"), raw.get("aws")
    environment = _table(raw, "environment")
    return Recorded(
        readable=True,
        name=_text(raw, "name"),
        kind=_text(raw, "kind") or UNKNOWN,
        cloud=_text(raw, "cloud") or "local",
        scheduler=_text(raw, "scheduler") or "dask",
        protocol=_text(raw, "protocol") or "novnc",
        jupyter=_table(raw, "jupyter").get("enabled", True) is not False,
        project=_text(environment, "project") or _text(raw, "folder"),
        ssh_from=_texts(access.get("ssh")),
        https_open=bool(_texts(access.get("https"))),
        lets_me_in="me" in (*_texts(access.get("ssh")), *_texts(access.get("https"))),
        parks_in_s3=any(
            isinstance(volume, dict) and volume.get("park") == "s3"
            for volume in _list(raw.get("volumes"))
        ),
        tags={k: v for k, v in _table(raw, "tags").items() if isinstance(v, str)},
        images={
            table: _text(_table(raw, table), "image") for table in ("machine", "head", "workers")
        },
        aws=aws if isinstance(aws, dict) else None,
    )


def _object(text: str | None) -> dict[str, Any] | None:
    if text is None or len(text) > LONGEST:
        return None
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return raw if isinstance(raw, dict) else None


def _table(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = raw.get(key)
    return table if isinstance(table, dict) else {}


def _text(raw: Mapping[str, Any], key: str) -> str:
    text = raw.get(key)
    return text if isinstance(text, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(one for one in _list(value) if isinstance(one, str))
