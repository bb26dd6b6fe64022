"""Whose a name is: from the versions of its record, which say who wrote them.

EC2 itself names the writer of each version (``CreatedBy``); roost adds the fingerprint of the key
to its description. Who writes for somebody else carries the owner on. So a new name needs no call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from roost.errors import RoostError
from roost.model.owner import Owner
from roost.model.record import read_record
from roost.providers.callers import is_known_by_key, key_of

DESCRIPTION = re.compile(r"roost: owner (\S{1,180}) key (\S{1,60})")
NOBODY = "-"
"""Instead of an owner: the writer of this version; instead of a key: it is not known."""
LONGEST = 180
"""Characters of a caller that are kept, the last ones: EC2's descriptions have 255."""
USER = ":user/"


def description(owner: Owner | None, key: str) -> str:
    """Return what a version says that the one with ``key`` writes; ``owner`` was there before."""
    kept = owner if owner is not None and not (key and owner.key == key) else Owner(key=key)
    return f"roost: owner {kept.caller[-LONGEST:] or NOBODY} key {kept.key or NOBODY}"


def owner_in(version: Mapping[str, Any]) -> Owner | None:
    """Return the owner that a version names; None for one of an older roost, or of others."""
    told = DESCRIPTION.fullmatch(str(version.get("VersionDescription") or "")[:255])
    if told is None:
        return None
    caller, key = ("" if word == NOBODY else word for word in told.groups())
    writer = str(version.get("CreatedBy") or "")[-LONGEST:]
    return Owner(caller=caller or writer, key=key)


@dataclass(frozen=True, slots=True)
class Callers:
    """Whoever runs roost: ``identity`` asks AWS for their ARN, ``public_key`` gives their key."""

    identity: Callable[[], str]
    public_key: Callable[[], bytes]

    def key(self) -> str:
        """Return the fingerprint of their key; "" where there is none, and none can be made."""
        return key_of(self.public_key)

    def mine(self, owner: Owner, record: str | None) -> bool:
        """Tell whether it is theirs, or its file names them; AWS is asked only for other keys."""
        known = read_record(record)
        if is_known_by_key(self.key(), owner, known):
            return True
        try:
            caller = self.identity()
        except RoostError:
            return False
        operator = USER in caller and caller.rpartition("/")[2] in known.operators
        return caller[-LONGEST:] == owner.caller or operator
