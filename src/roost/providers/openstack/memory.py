"""The knowledge of one process about one name between two looks; the next process needs none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from roost.errors import NotYetError
from roost.model.owner import Foreign
from roost.model.resources import STATELESS, Kind, State
from roost.providers.openstack.record import Kept


@dataclass(slots=True)
class Memory:
    """``described`` is the last description of each kind that is roost's, ``foreign`` of others.

    ``ids`` are the site's, by which steps name things; ``kept`` is what the record has.
    ``posted`` are the wishes that this process has asked for since its last look: their answers
    may have been lost. ``seen`` are the ids of all servers and volumes so far, gone ones too.
    ``unshelvable`` are servers that the site refused to shelve,
    ``unshelved`` those that were asked back from the shelf.
    ``begun`` are the servers that this process made and has not seen running; ``launched`` all
    that it made. ``resized`` are those that are to have another flavor: these are not shelved.
    ``unchanged`` says of volumes, by their ids, why they cannot be changed now. ``notes`` are for
    whoever watches; ``state`` is what the last look saw,
    ``head`` the head's private address; None where there is none, or one that is going.
    ``boot_disks`` are volumes without marks, as described, that machines boot from.
    """

    looked: bool = False
    kept: Kept = field(default_factory=Kept)
    tried_record: bool = False
    described: dict[Kind, list[dict[str, Any]]] = field(default_factory=dict)
    foreign: dict[Kind, list[Foreign]] = field(default_factory=dict)
    ids: dict[tuple[Kind, str], str] = field(default_factory=dict)
    posted: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    unshelved: set[str] = field(default_factory=set)
    unshelvable: set[str] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)
    launched: set[str] = field(default_factory=set)
    resized: set[str] = field(default_factory=set)
    unchanged: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    state: State | None = None
    head: str | None = None
    boot_disks: list[dict[str, Any]] = field(default_factory=list)

    def id(self, name: str, kind: Kind, one: str) -> str:
        """Return the site's id of one of ``name``'s. Raises NotYetError if it was not seen."""
        found = self.ids.get((kind, one))
        if found is None:
            raise NotYetError(f"{name} has no {kind} {one}")
        return found

    def by_id(self, kind: Kind, one: str) -> dict[str, Any]:
        """Return how the last look describes a thing; empty where it did not see it."""
        return next((d for d in self.described.get(kind, ()) if d.get("id") == one), {})

    def note(self, text: str) -> None:
        """Tell whoever watches, once."""
        if text not in self.notes:
            self.notes.append(text)

    @property
    def zone(self) -> str | None:
        """The zone in which the name is: that of its data's machine; others count last."""
        there = [
            (d.get("metadata", {}).get("roost_role") in STATELESS, zone)
            for d in self.described.get("instance", ())
            if (zone := d.get("OS-EXT-AZ:availability_zone"))
        ]
        return str(min(there)[1]) if there else None
