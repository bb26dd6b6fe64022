"""Every name that this computer can find, in all clouds at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roost.app import resolve
from roost.errors import RoostError

if TYPE_CHECKING:
    from roost.model.summary import Summary
    from roost.providers.provider import Lister
    from roost.session import Session


@dataclass(frozen=True, slots=True)
class Listed:
    """The names, and each place that could not be looked at with why."""

    rows: tuple[Summary, ...]
    unknown: tuple[str, ...]


def listed(session: Session) -> Listed:
    """Ask every place that the session means, side by side."""
    listers = resolve.listers(session)
    with ThreadPoolExecutor(max(1, len(listers))) as pool:
        answers = tuple(pool.map(_summaries, listers))
    # Two places can lead to one account: the first has its names.
    first: dict[tuple[str, ...], Lister] = {}
    return Listed(
        rows=tuple(
            row
            for lister, answer in zip(listers, answers, strict=True)
            if not isinstance(answer, RoostError)
            if not lister.account or first.setdefault(lister.account, lister) is lister
            for row in answer
        ),
        unknown=tuple(
            f"{lister.name} {lister.region}".rstrip() + f": {answer.what}"
            for lister, answer in zip(listers, answers, strict=True)
            if isinstance(answer, RoostError)
        ),
    )


def _summaries(lister: Lister) -> tuple[Summary, ...] | RoostError:
    try:
        return lister.summaries()
    except RoostError as error:
        return error
