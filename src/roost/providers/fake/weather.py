"""What can go wrong in a cloud in memory."""

from __future__ import annotations

from dataclasses import dataclass, field


class Killed(BaseException):
    """The process died here. Not an Exception, so that nothing but a test catches it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How a fake cloud behaves.

    ``delay`` is how many waits a change of state takes; ``blind`` how many observes a new
    resource stays invisible for; ``throttle`` and ``kill_before``/``kill_after`` are the numbers
    of the effects (from 0) that are refused or that kill the caller; ``capacity`` how many
    instances of a type can be had; ``broken`` the instances whose set-up fails.
    """

    delay: int = 1
    blind: int = 0
    throttle: frozenset[int] = frozenset()
    kill_before: int | None = None
    kill_after: int | None = None
    capacity: dict[str, int] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
