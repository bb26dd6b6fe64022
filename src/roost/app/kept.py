"""What a seat keeps while it is made anew: its password and its certificate, on this computer.

They are here only from the moment before its machine goes to the one at which the next has them: in
no record, no tag, and readable by the user alone. A command that was killed in between leaves them,
and the next one that sets the seat up brings them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from roost.home import write_private
from roost.ssh.paths import places

MOST = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The files of ``/etc/roost/secrets`` of a machine that goes, with the ids of what goes.

    ``spare`` is the id of the machine that takes its place: then nothing goes.
    """

    instance: str
    volumes: tuple[str, ...]
    secrets: Mapping[str, str]
    spare: str = ""


def keep(name: str, node: str, kept: Kept) -> None:
    """Write it whole, before anything is deleted."""
    places(name).make()
    write_private(_file(name, node), json.dumps(asdict(kept)))


def kept_of(name: str, node: str) -> Kept | None:
    """Return what a seat keeps; None where nothing is made anew, or it cannot be read."""
    try:
        with _file(name, node).open() as file:
            raw = json.loads(file.read(MOST))
        return Kept(
            instance=str(raw["instance"]),
            volumes=tuple(map(str, raw["volumes"])),
            spare=str(raw.get("spare", "")),
            secrets={str(key): str(text) for key, text in raw["secrets"].items()},
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def drop(name: str, node: str) -> None:
    """Delete it: the machine has it."""
    with suppress(FileNotFoundError):
        _file(name, node).unlink()


def _file(name: str, node: str) -> Path:
    return places(name).path / f"reset-{node}.json"
