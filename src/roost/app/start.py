"""Start what was stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roost.app.lifecycle import Running
    from roost.session import Session


def start(session: Session, name: str) -> Running:
    """Start what was stopped, and make whatever is missing of it."""
    from roost.app.lifecycle import bring_back

    session.say(f"starting {name}")
    return bring_back(session, name, verb="start")
