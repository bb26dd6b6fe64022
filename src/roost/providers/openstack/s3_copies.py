"""The volumes that have a copy in S3, in the properties of the record of their name.

They outlive `park` there, and go with the record. One call writes all of them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from roost.errors import CloudError, command_line
from roost.model.resources import S3Copy
from roost.providers.openstack import record

if TYPE_CHECKING:
    from roost.providers.openstack.client import Site
    from roost.providers.openstack.memory import Memory

KEY = "roost_stored"
LONGEST = 1_000_000
KINDS: Mapping[str, type | tuple[type, ...]] = {"str": str, "float": (int, float), "bool": bool}


# --- pure ----------------------------------------------------------------------------------------


def in_record(held: Mapping[str, str]) -> tuple[S3Copy, ...]:
    """Return the copies that a record names, by their volumes.

    Raises CloudError where one cannot be read: without it a volume would be made empty.
    """
    text = record.unpacked(held, KEY, LONGEST)
    try:
        if text is None:
            raise ValueError("it is damaged")
        found = [_copy(json.loads(line)) for line in text.splitlines()]
    except (ValueError, TypeError, RecursionError) as error:
        raise CloudError(
            f"the note of volumes' copies in S3 cannot be read ({error}); it may be of a newer"
            " version of roost"
        ) from None
    return tuple(sorted(found, key=lambda copy: copy.name))


def _copy(raw: Any) -> S3Copy:
    copy = S3Copy(**raw)
    for one in fields(copy):
        if not isinstance(getattr(copy, one.name), KINDS[str(one.type)]):
            raise ValueError(f"{one.name} is no {one.type}")
    return copy


def as_properties(copies: Iterable[S3Copy], before: Mapping[str, str]) -> dict[str, str]:
    """Return the properties to write; those without a use are empty."""
    text = "\n".join(json.dumps(asdict(copy)) for copy in copies)
    new = record.packed(KEY, text) if text else {}
    return dict.fromkeys((key for key in before if key.startswith(f"{KEY}_")), "") | new


# --- effects -------------------------------------------------------------------------------------


def write(site: Site, memory: Memory, name: str, copies: Iterable[S3Copy]) -> None:
    """Write these copies, over older notes about the same volumes. Raises CloudError."""
    if not memory.kept.id:
        raise CloudError(
            f"the record of {name} is missing: roost cannot note where in S3 its data is; "
            "nothing was deleted",
            next="roost up FILE   (makes it again), then: " + command_line("roost", "park", name),
        )
    known = {copy.name: copy for copy in (*in_record(memory.kept.held), *copies)}
    _keep(site, memory, known.values())


def forget(site: Site, memory: Memory, volumes: Collection[str]) -> None:
    """Drop what is known of these."""
    if memory.kept.id:
        known = in_record(memory.kept.held)
        _keep(site, memory, [copy for copy in known if copy.name not in volumes])


def _keep(site: Site, memory: Memory, copies: Iterable[S3Copy]) -> None:
    before = memory.kept.held
    new = as_properties(copies, before)
    if not new.items() <= before.items():
        memory.kept = record.keep(site, memory.kept, new)


@dataclass(frozen=True, slots=True)
class SiteCopies:
    """Fulfils ``roost.providers.provider.S3Copies``: the way to S3 is the user's own."""

    profile: str | None = None
    region: str = ""

    def check_room(self, name: str, volumes: tuple[str, ...]) -> None:
        """Do nothing: a record has room for all."""
        del name, volumes
