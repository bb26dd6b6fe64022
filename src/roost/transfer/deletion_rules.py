"""The law of deletion before anything is done: what may be planned. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from roost.errors import NeedsConfirmationError, UsageError
from roost.transfer.listing import Entry

Names = list[tuple[str, str]]
"""Names, and the reason for each."""


def unread_kept(deletions: Sequence[Entry], unread: Mapping[str, str]) -> tuple[list[Entry], Names]:
    """Return the deletions without those below what could not be read, and a word for these.

    ``unread`` has every name of the source that was not read, and why; whatever the filters say,
    it may exist.
    """
    sure: list[Entry] = []
    kept: dict[str, int] = {}
    for entry in deletions:
        above = next((name for name in _and_above(entry.name) if name in unread), None)
        if above is None:
            sure.append(entry)
        else:
            kept[above] = kept.get(above, 0) + 1
    words = [
        (name or ".", f"{unread[name]}; nothing below it is deleted in S3 ({count} would be)")
        for name, count in kept.items()
    ]
    return sure, words


def _and_above(name: str) -> Iterable[str]:
    """Yield a name and the folders that it is in, each as it is listed and as it is linked."""
    yield name
    plain = name.removesuffix("/")
    if plain != name:
        yield plain
    for at in range(len(plain) - 1, -1, -1):
        if plain[at] == "/":
            yield plain[: at + 1]
            yield plain[:at]
    yield ""


def limit(text: str, there: int) -> int | None:
    """Return how many of so many ``--max-delete`` allows, None for all. Raises UsageError."""
    if not text:
        return None
    number, percent = text.removesuffix("%"), text.endswith("%")
    if not number.isdecimal() or not number.isascii() or (percent and int(number) > 100):
        raise UsageError(
            f"--max-delete {text}: a number of files, or a part of them in %",
            next="--max-delete 100   (or: --max-delete 5%)",
        )
    return there * int(number) // 100 if percent else int(number)


def refuse(
    deletions: int, there: int, having: int, *, sides: tuple[str, str], most: str, everything: bool
) -> None:
    """Raise NeedsConfirmationError where more would go than the user can have meant.

    ``having``: the files of the source, of which the target has ``there``, both by the filters.
    """
    source, target = sides
    if deletions and not having and not everything:
        raise NeedsConfirmationError(
            f"{source} has no file, so that all {deletions} in {target} would be deleted;"
            " nothing was changed",
            next="the same command with --delete-all, if that is meant",
        )
    allowed = limit(most, there)
    if allowed is not None and deletions > allowed:
        raise NeedsConfirmationError(
            f"{deletions} of {there} in {target} would be deleted, and --max-delete {most} allows"
            f" {allowed}; nothing was changed",
            next="the same command with --dry-run, which lists them",
        )


def no_result(waste: Entry, result: Entry) -> str:
    """Return why a file proves nothing of its waste, "" where it may."""
    if not result.size:
        return f"its result {result.name} is empty"
    if result.mtime_ns < waste.mtime_ns:
        return f"its result {result.name} is older than it"
    return ""
