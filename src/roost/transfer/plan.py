"""Plan copies and deletions from two listings in order of names. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from roost.transfer.listing import Entry

NEW = "new"
LATER = "?"
"""The reason of a copy that a look at the object must confirm first."""


class Copy(NamedTuple):
    """A name that source and target have differently. ``over``: what it takes the place of."""

    entry: Entry
    reason: str
    over: Entry | None = None


class Delete(NamedTuple):
    """A name that only the target has."""

    entry: Entry


Action = Copy | Delete
Included = Callable[[str], bool]
Judge = Callable[[Entry, Entry], str | None]
"""A function of a source and its target: the reason to copy, LATER, or None if they are equal."""


class DisorderError(Exception):
    """A listing is not in the order of names; the same listing must be sorted first."""


def changes(
    source: Iterable[Entry],
    target: Iterable[Entry],
    judge: Judge,
    included: Included,
    *,
    delete: bool = False,
) -> Iterator[Action]:
    """Yield what makes the target like the source, in order of names.

    A name that is not ``included`` is neither copied nor deleted. Raises DisorderError.
    """
    there = _ordered(target)
    other = next(there, None)
    for entry in _ordered(source):
        while other is not None and other.name < entry.name:
            yield from _extra(other, included, delete=delete)
            other = next(there, None)
        same = other if other is not None and other.name == entry.name else None
        if same is not None:
            other = next(there, None)
        if included(entry.name):
            yield from _copy(entry, same, judge)
    while other is not None:
        yield from _extra(other, included, delete=delete)
        other = next(there, None)


def _copy(entry: Entry, same: Entry | None, judge: Judge) -> Iterator[Copy]:
    if entry.folder:
        if entry.empty and same is None:
            yield Copy(entry, NEW)
        return
    reason = NEW if same is None else judge(entry, same)
    if reason is not None:
        yield Copy(entry, reason, same)


def _extra(entry: Entry, included: Included, *, delete: bool) -> Iterator[Delete]:
    # A folder that is not empty goes with the last thing in it.
    if delete and included(entry.name) and (entry.empty or not entry.folder):
        yield Delete(entry)


def _ordered(entries: Iterable[Entry]) -> Iterator[Entry]:
    before = ""
    for entry in entries:
        if entry.name < before:
            raise DisorderError(entry.name)
        before = entry.name
        yield entry
