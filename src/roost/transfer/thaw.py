"""Objects in the archive: they must be asked for, and can be read some hours later, for a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from roost.transfer.context import Run
from roost.transfer.plan import Copy
from roost.transfer.pool import Pool
from roost.transfer.s3.bucket import Head
from roost.transfer.s3.failures import StoreError

ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE", "INTELLIGENT_TIERING"})
"""The classes whose objects may have to be asked for."""
TIERS = ("Standard", "Bulk")
HOURS = {
    ("GLACIER", "Standard"): "3 to 5 hours",
    ("GLACIER", "Bulk"): "5 to 12 hours",
    ("DEEP_ARCHIVE", "Standard"): "up to 12 hours",
    ("DEEP_ARCHIVE", "Bulk"): "up to 48 hours",
}
ON_ITS_WAY = "it is on its way out of the archive; the same command fetches it when it is there"
_ASK = "roost sync --restore DAYS asks for it back"


class ArchivedError(StoreError):
    """An object that is in the archive, or on its way out of it."""

    def __init__(self, key: str, head: Head | None) -> None:
        self.coming = head is not None and on_its_way(head)
        kind = f" ({head.archive or head.storage})" if head else ""
        text = ON_ITS_WAY if self.coming else f"it is in the archive{kind}: {_ASK}"
        super().__init__("GetObject", key, "InvalidObjectState", text, 403)

    @property
    def reason(self) -> str:
        """The reason for people."""
        return self.text


def on_its_way(head: Head) -> bool:
    """Tell if an object was asked for and is not there yet."""
    return 'ongoing-request="true"' in head.restoring


def archived(head: Head) -> bool:
    """Tell if an object cannot be read before it was asked for."""
    if 'ongoing-request="false"' in head.restoring:
        return False
    return bool(head.archive) or head.storage in {"GLACIER", "DEEP_ARCHIVE"}


def explained(run: Run, key: str) -> ArchivedError:
    """Return the error for an object that S3 does not give because it is in the archive."""
    try:
        return ArchivedError(key, run.bucket.head(key))
    except StoreError:
        return ArchivedError(key, None)


@dataclass(slots=True)
class Archived:
    """What a sync needs of the archive: objects to ask for, and those that are on their way."""

    wanted: list[Copy] = field(default_factory=list)
    coming: list[Copy] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """The number of bytes to ask for."""
        return sum(copy.entry.size for copy in self.wanted)


def look(run: Run, copies: Iterable[Copy], threads: int) -> tuple[Archived, list[Copy]]:
    """Ask S3 which of these are in the archive; return them, and the other ones.

    Raises StoreError where nothing can be asked.
    """
    copies = list(copies)
    suspects = [copy for copy in copies if copy.entry.storage in ARCHIVES]
    if not suspects:
        return Archived(), copies
    state: dict[str, bool] = {}

    def ask(copy: Copy) -> None:
        head = run.patiently(lambda: run.bucket.head(run.prefix + copy.entry.name))
        if archived(head):
            state[copy.entry.name] = on_its_way(head)

    Pool(ask, run.stop).all(suspects, min(threads, len(suspects)))
    found = Archived()
    for copy in suspects:
        if copy.entry.name in state:
            (found.coming if state[copy.entry.name] else found.wanted).append(copy)
    return found, [copy for copy in copies if copy.entry.name not in state]


def ask_for(run: Run, found: Archived, days: int, tier: str, threads: int) -> list[tuple[str, str]]:
    """Ask S3 for objects of the archive; return each with what became of it.

    Raises StoreError where nothing can be asked for.
    """

    def ask(copy: Copy) -> None:
        key = run.prefix + copy.entry.name
        lasting = copy.entry.storage != "INTELLIGENT_TIERING"  # that one brings it back for good
        run.patiently(lambda: run.bucket.restore(key, days if lasting else 0, tier))

    failed = Pool(ask, run.stop).all(found.wanted, min(threads, max(len(found.wanted), 1)))
    wrong = {copy.entry.name: _why(error) for copy, error in failed}
    told = [(copy.entry.name, ON_ITS_WAY) for copy in found.coming]
    for copy in found.wanted:
        hours = HOURS.get((copy.entry.storage, tier), "hours")
        text = f"asked for back for {days} days; it takes {hours}: the same command fetches it then"
        told.append((copy.entry.name, wrong.get(copy.entry.name, text)))
    return told


def _why(error: Exception) -> str:
    code = error.code if isinstance(error, StoreError) else ""
    return ON_ITS_WAY if code == "RestoreAlreadyInProgress" else f"S3 does not restore it: {error}"
