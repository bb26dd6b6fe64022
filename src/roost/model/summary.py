"""What `roost ls` says of a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from roost.model.resources import Instance


@dataclass(frozen=True, slots=True)
class Followed:
    """The number of workers that are there, and the range in which it follows the work."""

    workers: int
    minimum: int
    maximum: int

    @classmethod
    def of(cls, workers: int, kept: tuple[int, int] | None) -> Followed | None:
        """Return it where a range is kept."""
        return cls(workers, *kept) if kept is not None else None

    def __str__(self) -> str:
        return f"{self.workers} of {self.minimum}..{self.maximum}"


def count_workers(instances: Iterable[Instance]) -> int:
    """Count the workers that are there, whatever their state."""
    return sum(one.role == "worker" for one in instances)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One row of ``roost ls``: a name and how many of its instances are in which state.

    ``unfilled`` are its volumes whose data is not all back from S3, and ``unwell`` its machines
    with which something is wrong, and what, as far as that can be seen. ``owner`` is whose it is,
    as the cloud names them. ``follows``: its number of workers follows the work.
    """

    name: str
    kind: str
    cloud: str
    states: dict[str, int]
    region: str = ""
    created: datetime | None = None
    unfilled: tuple[str, ...] = ()
    owner: str = ""
    unwell: tuple[str, ...] = ()
    follows: Followed | None = None
