"""The record of a name, parsed once: what lies with the cloud, and others may have written.

A record is the spec as JSON. What needs all of it reads it with ``roost.spec.from_json``, which
checks every key. This is for what must work with any record, also of a later roost or a damaged
one: to list, connect, stop and delete. It believes nothing: what is not as expected is not there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from roost.model import nodes
from roost.model.resources import GATEWAY, Backup
from roost.reach import GATEWAY as WRITTEN
from roost.reach import HOST, REACHES, Reach

LONGEST = 1_000_000
"""Characters; a record of a thousand seats has some ten thousand."""
UNKNOWN = "unknown"
MOST_SEATS = 10_000
LONGEST_BACKUPS = 20_000_000
BACKUP_FIELDS = 6
"""Kind, name, id, time, size, used; a later version may write more after these."""
MOST_WORKERS = 10_000
MOST = 2**40
"""No time in seconds and no size in GiB is larger."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The content of a record, as far as it can be read.

    ``kind`` is "unknown" where it cannot; ``readable``: the text is a JSON object. ``tags`` are the
    user's own; ``volumes`` and ``machines`` the names that these have in a cloud, without workers;
    ``aws`` and ``openstack`` are the tables of these names, unchecked; ``makes_gateway``: the
    machines are reached through one more machine, which roost makes. ``follows`` are the fewest and
    the most workers, where their number follows the work.
    """

    readable: bool = False
    name: str = ""
    kind: str = UNKNOWN
    cloud: str = ""
    scheduler: str = "dask"
    protocol: str = "novnc"
    jupyter: bool = True
    project: str = ""
    environment: str = ""  # the digest of its lock
    folder: str = ""
    ssh_from: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    https_open: bool = False
    lets_me_in: bool = False
    reach: Reach = "public"
    jump: str = ""
    makes_gateway: bool = False
    host: str = ""
    parks_in_s3: bool = False
    volumes: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    follows: tuple[int, int] | None = None
    aws: Mapping[str, Any] | None = None
    openstack: Mapping[str, Any] | None = None

    def image(self, role: str) -> str:
        """Return the image of a role's machines, as the file names it; "" if that is not known."""
        table = {"head": "head", "worker": "workers"}.get(role, "machine")
        if role == GATEWAY and self.kind == "cluster":
            table = "head"
        return self.images.get(table, "")


@lru_cache(maxsize=16)
def read_record(text: str | None) -> Recorded:
    """Parse a record. Never raises: what cannot be read is not there.

    Each machine of a name is asked of the same text, so the last ones are kept.
    """
    raw = _object(text)
    if raw is None:
        return Recorded()
    access = _table(raw, "access")
    environment = _table(raw, "environment")
    return Recorded(
        readable=True,
        name=_text(raw, "name"),
        kind=_text(raw, "kind") or UNKNOWN,
        cloud=_text(raw, "cloud") or "local",
        scheduler=_text(raw, "scheduler") or "dask",
        protocol=_text(raw, "protocol") or "novnc",
        jupyter=_table(raw, "jupyter").get("enabled", True) is not False,
        folder=_text(raw, "folder"),
        environment=_text(environment, "digest"),
        project=_text(environment, "project") or _text(raw, "folder"),
        ssh_from=_texts(access.get("ssh")),
        operators=_texts(access.get("operators")),
        keys=_texts(access.get("keys")),
        https_open=bool(_texts(access.get("https"))),
        **_way_in(access),
        lets_me_in="me" in (*_texts(access.get("ssh")), *_texts(access.get("https"))),
        parks_in_s3=any(
            isinstance(volume, dict) and volume.get("park") == "s3"
            for volume in _list(raw.get("volumes"))
        ),
        volumes=_volumes(raw),
        machines=_machines(raw),
        tags={k: v for k, v in _table(raw, "tags").items() if isinstance(v, str)},
        images={
            table: _text(_table(raw, table), "image") for table in ("machine", "head", "workers")
        },
        follows=_follows(_table(_table(raw, "workers"), "follow")),
        aws=_table(raw, "aws") or None,
        openstack=_table(raw, "openstack") or None,
    )


def _follows(raw: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the range of workers; None where there is none, or none that can be."""
    least, most = raw.get("minimum"), raw.get("maximum")
    if type(least) is not int or type(most) is not int or not 0 <= least <= most <= MOST_WORKERS:
        return None
    return least, most


def _way_in(access: Mapping[str, Any]) -> dict[str, Any]:
    """Return how roost comes to the machines; a gateway that is none is not there."""
    reach, jump = _text(access, "reach"), _text(access, "jump")
    return {
        "reach": next((way for way in REACHES if way == reach), "public"),
        "jump": jump if WRITTEN.fullmatch(jump) else "",
        "host": host if HOST.fullmatch(host := _text(access, "host")) else "",
        "makes_gateway": reach == "jump" and access.get("jump") is None,
    }


def write_backups(backups: Iterable[Backup]) -> str:
    """Return the recorded copies as ``read_backups`` reads them: a line of JSON for each."""
    rows = (
        [b.kind, b.name, b.id, int(b.taken), _short(b.size_gib), _short(b.used_gib)]
        for b in backups
    )
    return "\n".join(json.dumps(row, separators=(",", ":")) for row in rows)


def _short(number: float) -> float:
    return int(number) if number == int(number) else round(number, 3)


def read_backups(text: str) -> tuple[Backup, ...] | None:
    """Parse recorded copies. Never raises; None where any of it cannot be read.

    What cannot be read is not taken for nothing: else a name would come back empty.
    """
    if len(text) > LONGEST_BACKUPS:
        return None
    backups = [_backup(line) for line in text.splitlines()]
    good = tuple(backup for backup in backups if backup is not None)
    keys = {(backup.kind, backup.name) for backup in good}
    return good if len(keys) == len(backups) else None


def _backup(line: str) -> Backup | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, list) or len(row) < BACKUP_FIELDS:
        return None
    kind, name, copy, taken, size, used = row[:BACKUP_FIELDS]
    texts = isinstance(name, str) and isinstance(copy, str) and bool(name) and bool(copy)
    numbers = all(
        isinstance(n, int | float) and not isinstance(n, bool) and 0 <= n < MOST
        for n in (taken, size, used)
    )
    if kind not in ("snapshot", "image") or not texts or not numbers:
        return None
    return Backup(kind=kind, name=name, id=copy, taken=taken, size_gib=size, used_gib=used)


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


def _volumes(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of its volumes; of a classroom, those of every seat."""
    tables = [one for one in _list(raw.get("volumes")) if isinstance(one, dict)]
    names = [name for name in (_text(table, "name") for table in tables) if name]
    if _text(raw, "kind") != "classroom":
        return tuple(names)
    return tuple(f"{seat}-{name}" for seat in _machines(raw) for name in names)


def _machines(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the machines whose disks are kept: all but workers."""
    kind = _text(raw, "kind")
    if kind == "classroom":
        numbers = (raw.get("seats"), raw.get("spares"))
        count = min(sum(n for n in numbers if isinstance(n, int) and n > 0), MOST_SEATS)
        return tuple(nodes.names("seat", count))
    return {"desktop": ("desktop",), "cluster": ("head",)}.get(kind, ())


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(one for one in _list(value) if isinstance(one, str))
