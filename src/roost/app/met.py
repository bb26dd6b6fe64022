"""The machines of a name that this computer knows.

Whoever can tag machines in an account can call theirs like one of a name, and no tag proves who
made it. So a computer keeps the ids of those that it has used, and another one in their place is
asked for. Workers come and go, also by their head's doing, and are not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.errors import NeedsConfirmationError, command_line

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session

ENDING = ("stop", "down")
"""Commands that send nothing to a machine: they always work."""
ASKING = frozenset(
    (
        *("up", "start", "resume", "scale", "resize", "park", "reset", "swap", "stage", "image"),
        *("sync", "pull", "push", "ssh-config", "follow", "rehearse"),
    )
)
"""Commands that ask, and take --yes; the others refuse, and name one of these."""


def check_met(session: Session, cloud: Cloud, have: State, *, gone: bool = True) -> None:
    """Ask before a machine is used that is in the place of a known one, then remember it.

    Those that are ``gone`` are forgotten. Raises RoostError. Where nobody is asked, nothing is
    remembered: else to stop another's machine would be to know it.
    """
    from roost.app.given import met

    command = session.command.partition(" ")[2].partition(" ")[0]
    if not cloud.can.rents or command in ENDING:
        return
    known, there = met(cloud, have.name), _there(have)
    other = sorted(node for node in there.keys() & known if known[node] not in there[node])
    if other:
        which = ", ".join(f"{node} was {known[node]}, and is {there[node][0]}" for node in other)
        what = (
            f"{have.name} has another machine than this computer knows: {which}; somebody made it"
            " elsewhere, and sees what is sent to it"
        )
        again = command_line("roost", "start", have.name, "--yes") + "   (if you know of it)"
        refused = NeedsConfirmationError(what, exists=have.conditions, next=again)
        if command not in ASKING:
            raise refused
        session.consent.ask(f"{what}. Use it?", refused)
    remember(cloud, have, gone=gone)


def remember(cloud: Cloud, have: State, *, gone: bool = True) -> None:
    """Remember the machines that are there, and forget those that are ``gone``."""
    from roost.app.given import meet, met

    if not cloud.can.rents:
        return
    before, there = met(cloud, have.name), _there(have)
    now = {**({} if gone else before), **{node: ids[0] for node, ids in there.items()}}
    if now != before:
        meet(cloud, have.name, now)


def _there(have: State) -> dict[str, list[str]]:
    """Return the ids of the machines by their names; two of one name are refused elsewhere."""
    found: dict[str, list[str]] = {}
    for one in have.instances:
        if one.role != "worker" and one.state != "deleting":
            found.setdefault(one.name, []).append(one.id)
    return found
