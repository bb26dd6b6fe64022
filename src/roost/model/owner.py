"""The owner of a name, who may change it without being asked; and what is nobody's of roost."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roost.model.resources import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Somebody, as a cloud names them (``caller``), and the fingerprint of their public key.

    Either is "" where it is not known.
    """

    caller: str = ""
    key: str = ""

    @property
    def text(self) -> str:
        """Return the owner for people: ``"arn:aws:iam::1:user/alice (key SHA256:...)"``."""
        if not (self.caller and self.key):
            return self.caller or f"whoever has the key {self.key}"
        return f"{self.caller} (key {self.key})"

    @property
    def person(self) -> str:
        """Return the shortest name of the caller: ``"alice"``."""
        return self.caller.rpartition(":")[2].rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """What carries the name's tag, and is none of roost's: ``why`` says what is wrong with it."""

    kind: Kind
    id: str
    why: str

    @property
    def text(self) -> str:
        """Return for example ``"not roost's: volume vol-1 (no readable tag roost:node)"``."""
        return f"not roost's: {self.kind} {self.id} ({self.why}); it is left alone"


def fingerprint(public_key: bytes) -> str:
    """Return a public key's fingerprint as ``ssh-keygen -l`` prints it; "" for no key."""
    words = public_key.split()
    try:
        raw = base64.b64decode(words[1], validate=True)
    except (IndexError, ValueError):
        return ""
    return "SHA256:" + base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")
