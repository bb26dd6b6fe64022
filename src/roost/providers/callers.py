"""Whoever runs roost, and which rules and names are theirs: the same in every cloud.

Each rule of a firewall that roost makes says in its description for whom it is: what the file
names, or whoever said "me", by the fingerprint of their key. A rule with another description was
made by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from roost.errors import RoostError
from roost.model.owner import Owner, fingerprint
from roost.model.record import Recorded
from roost.model.resources import Rule, RuleOf

FILE = "roost"
"""The description of a rule for a network that the file names."""
ME = "roost: me "
"""The description of a rule for somebody's own address begins so; their key follows."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever runs roost: the CIDR of their address, and their key; "" for what is not known."""

    cidr: str = ""
    key: str = ""


class Who(Protocol):
    """The way to learn who runs roost. Raises RoostError where that cannot be said."""

    def __call__(self, *, address: bool = True) -> Caller:
        """Return them; their address is asked for only with ``address``."""
        ...


def who_looks(recorded: Recorded, who: Who, *, people: bool) -> Caller:
    """Return who looks at rules; nobody known where that cannot be said, or nobody needs it.

    Their address is asked for only where the file says "me"; their key tells which rules are
    theirs. ``people``: a rule of somebody's own address is there.
    """
    me = recorded.lets_me_in or (people and not recorded.ssh_from)
    if not (me or people):
        return Caller()
    try:
        return who(address=me)
    except RoostError:
        return Caller()


# --- rules ---------------------------------------------------------------------------------------


def description_of(rule: Rule, caller: Caller) -> str:
    """Return the description of a rule that is made."""
    return ME + caller.key if rule.source == "caller" else FILE


def network_of(rule: Rule, caller: Caller) -> str:
    """Return the CIDR that a rule lets in."""
    return caller.cidr if rule.source == "caller" else rule.source


def rule_of(description: str, caller: Caller) -> RuleOf:
    """Return whom a rule with that description is for."""
    if description == FILE:
        return "file"
    if description.startswith(ME):
        mine = caller.key != "" and description == ME + caller.key
        return "me" if mine else "colleague"
    return "hand"


def seen(port: int, cidr: str, of: RuleOf, caller: Caller) -> tuple[Rule, ...]:
    """Return a rule that is there; one that lets in the caller's address also as ``"caller"``."""
    sources = (cidr, "caller") if cidr and cidr == caller.cidr else (cidr,)
    return tuple(Rule(port=port, source=source, cidr=cidr, of=of) for source in sources)


# --- names ---------------------------------------------------------------------------------------


def key_of(public_key: Callable[[], bytes]) -> str:
    """Return the fingerprint of their key; "" where there is none, and none can be made."""
    try:
        return fingerprint(public_key())
    except RoostError:
        return ""


def is_known_by_key(key: str, owner: Owner, recorded: Recorded) -> bool:
    """Tell whether that key is the owner's, or the file names it."""
    known = {owner.key, *(fingerprint(line.encode()) for line in recorded.keys)}
    return key != "" and key in known
