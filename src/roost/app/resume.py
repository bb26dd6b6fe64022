"""Bring back what was parked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from roost.app.lifecycle import Running
    from roost.session import Session


def resume(session: Session, name: str, fresh: Iterable[str] = ()) -> Running:
    """Bring back what was parked; each machine as the type that it was.

    ``fresh`` are volumes and machines to be made empty, because their copies are lost.
    """
    from roost.app.lifecycle import bring_back

    session.say(f"resuming {name}")
    return bring_back(session, name, verb="resume", as_parked=True, fresh=fresh)
