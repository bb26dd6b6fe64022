"""A message on the screens of a class."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from roost.app.seats import chosen, class_of, on_each, problem_of
from roost.errors import RoostError, UsageError, command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roost.session import Session
    from roost.ssh.connection import Connection

LONGEST = 500
NOTIFY = (*("notify-send", "--app-name=roost", "--icon=dialog-information", "--urgency=critical"),)
TITLE = "From your trainer"
BUS = "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus"
"""The desktop's own; ssh comes as the same user."""


@dataclass(frozen=True, slots=True)
class Shown:
    """On which screens it is; ``problem`` names the others."""

    nodes: tuple[str, ...]
    problem: RoostError | None = None


def message(session: Session, name: str, text: str, seats: Sequence[str]) -> Shown:
    """Show a text on the screens of all seats, or of these, until somebody closes it.

    Raises UsageError where it is no class, or no text.
    """
    text = text.strip()
    if not text or len(text) > LONGEST or any(ord(one) < 32 and one != "\n" for one in text):
        raise UsageError(
            f"a message has 1 to {LONGEST} characters", next='roost message NAME "Back at 2 pm"'
        )
    cloud, spec, state = class_of(session, name, "`roost message` is for a class")
    line = ["env", BUS, *NOTIFY, "--", TITLE, escape(text, quote=False)]

    def show(way: Connection) -> None:
        from roost.ssh.query import asked

        asked(way, line)

    found = on_each(session, cloud, state, chosen(spec, seats), show)
    problem = problem_of(
        found,
        lambda numbers: command_line(
            "roost", "message", name, text, *(w for n in numbers for w in ("--seat", n))
        ),
    )
    return Shown(tuple(node for node, one in found.items() if one is None), problem)
