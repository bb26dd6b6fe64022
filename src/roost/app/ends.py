"""An end time that has passed: nothing is rented that would stop minutes later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.app.cost import now
from roost.errors import UsageError, command_line
from roost.providers.rules import rules_of

if TYPE_CHECKING:
    from roost.session import Session
    from roost.spec import Spec


def past_end(spec: Spec) -> str:
    """Return what is wrong with the end time of a file now; "" if nothing is."""
    end = spec.schedule.end
    if end is None or end > now() or not rules_of(spec.cloud).rents:
        return ""
    return f"the end time of {spec.name} has passed: {end:%Y-%m-%d %H:%M %Z}".rstrip()


def refuse_past_end(spec: Spec) -> None:
    """Refuse to rent what would stop at once. Raises UsageError."""
    if passed := past_end(spec):
        up = command_line("roost", "up", "FILE")
        raise UsageError(passed, next=f"a later end in [schedule] of the file, then: {up}")


def warn_of_past_end(session: Session, spec: Spec) -> None:
    """Say that machines stop soon after they have started."""
    if passed := past_end(spec):
        extend = command_line("roost", "extend", spec.name, "2h")
        session.say(f"warning: {passed}; unless it was extended, it stops in 10 minutes: {extend}")
