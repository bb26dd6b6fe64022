"""The calls that write the record of a name, and whose it is.

Glance knows the project of an image and not its maker. So the owner is what the record says: the
user of the token that wrote it first, and the fingerprint of their key. Who writes for somebody
else carries the owner on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from roost.errors import CloudError, RoostError, command_line
from roost.model.owner import Owner
from roost.model.record import read_record
from roost.model.resources import Backup
from roost.providers.callers import is_known_by_key, key_of
from roost.providers.openstack import observe, record, record_group
from roost.providers.openstack.client import Site

if TYPE_CHECKING:
    from roost.providers.openstack.memory import Memory


@dataclass(frozen=True, slots=True)
class Callers:
    """Whoever runs roost: the user of the token, and their public key."""

    site: Site
    public_key: Callable[[], bytes]

    def me(self) -> Owner:
        """Return them as an owner: ``"user:ID/alice"``."""
        identity, name = self.site.user
        plain = re.sub(r"[^\w.@+-]", "_", name)[:80]
        return Owner(caller=f"user:{identity[:80]}/{plain}", key=self.key())

    def key(self) -> str:
        """Return the fingerprint of their key; "" where there is none, and none can be made."""
        return key_of(self.public_key)

    def mine(self, owner: Owner, text: str | None) -> bool:
        """Tell whether it is theirs, or its file names them; the site is asked for others only."""
        known = read_record(text)
        if is_known_by_key(self.key(), owner, known):
            return True
        try:
            me = self.me()
        except RoostError:
            return False
        same = me.caller.partition("/")[0] == owner.caller.partition("/")[0]
        return same or self.site.user[1] in known.operators


@dataclass(frozen=True, slots=True)
class Keeper:
    """Writes the record of one name; ``memory`` has seen it just now."""

    site: Site
    memory: Memory
    name: str
    callers: Callers

    def settings(self, text: str) -> None:
        """Write the settings: the first make the image; later ones change it.

        A call whose answer was lost may have made one: the image is looked for first.
        """
        kept = self.memory.kept
        if not kept.id and self.memory.tried_record:
            there = record.find(self.site, self.name)
            kept = observe.kept_of(there, observe.groups(self.site, self.name), self.name)
        kept = replace(kept, record=text, owner=kept.owner or self.callers.me())
        self.memory.tried_record = True
        made = (
            record.write(self.site, kept) if kept.id else record.create(self.site, self.name, kept)
        )
        self.memory.kept = made

    def backups(self, backups: tuple[Backup, ...]) -> None:
        """Write down which copies a name comes back from. Raises CloudError without a record."""
        kept = self.memory.kept
        if not kept.id:
            raise CloudError(
                f"the record of {self.name} is missing: roost cannot note which copies it comes"
                " back from; nothing was deleted",
                next="roost up FILE   (makes it again), then: "
                + command_line("roost", "park", self.name),
            )
        self.memory.kept = record.write(self.site, replace(kept, backups=backups, unread=False))

    def take_over(self) -> None:
        """Write whoever runs roost as the owner."""
        mine = replace(self.memory.kept, owner=self.callers.me())
        self.memory.kept = record.write(self.site, mine)

    def forget(self) -> None:
        """Delete the record: every image and group that is one."""
        for one in record.find(self.site, self.name):
            self.site.delete("image", f"/images/{one['id']}")
        for one in observe.groups(self.site, self.name):
            if record_group.is_record(one, self.name):
                self.site.delete("network", f"/security-groups/{one['id']}")
        self.memory.kept = record.Kept()
