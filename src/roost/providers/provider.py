"""The narrow protocol that every cloud fulfils: look, do one step, say who is at work.

It is cut to fit EC2's batch calls: one step is one batch of one kind, so a step costs a fixed
number of calls whatever its size.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from roost.model.resources import State
from roost.model.steps import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One row of ``roost ls``: a name and how many of its instances are in which state.

    ``unfilled`` are its volumes whose data is not all back from S3, as far as that can be seen.
    """

    name: str
    kind: str
    cloud: str
    states: dict[str, int]
    region: str = ""
    created: datetime | None = None
    unfilled: tuple[str, ...] = ()


class Cloud(Protocol):
    """A place where machines can be."""

    @property
    def name(self) -> str:
        """What the spec's ``cloud`` key calls it."""
        ...

    @property
    def region(self) -> str:
        """Its region; empty where it has none."""
        ...

    def observe(self, name: str) -> State:
        """Everything of one name, in a fixed number of calls. Raises AccessError, CloudError."""
        ...

    def summaries(self) -> tuple[Summary, ...]:
        """Every name that this roost finds here, in a fixed number of calls."""
        ...

    def apply(self, name: str, step: Step) -> None:
        """Do one step. Safe to call again after a kill at any point.

        Raises ThrottledError (try again), CapacityError, QuotaError, CloudError.
        """
        ...

    def wait(self, name: str, since: float) -> None:
        """Come back when something may have changed; ``since`` is seconds waited so far."""
        ...

    def hold(self, name: str, what: str) -> AbstractContextManager[None]:
        """Be the only roost at work on a name. Raises BusyError, saying who is."""
        ...

    def logs(self, name: str, instance: str, lines: int) -> str:
        """The last lines of what an instance logged while it set itself up and ran."""
        ...
