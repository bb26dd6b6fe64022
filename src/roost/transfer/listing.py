"""The entries of a listing, and the two sides of a sync."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from roost.errors import UsageError

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class Entry(NamedTuple):
    """One file or object. The name of a folder ends with a slash.

    ``mtime_ns`` is the file's own time; of an object, when it was stored. ``tag`` is an object's
    ETag. ``empty``: a folder that must be made, as nothing in it would make it. ``storage``: an
    object's class, where the listing has it.
    """

    name: str
    size: int
    mtime_ns: int
    tag: str = ""
    empty: bool = False
    storage: str = ""

    @property
    def folder(self) -> bool:
        """Tell if it is a folder."""
        return self.name.endswith("/")


@dataclass(frozen=True, slots=True)
class Prefix:
    """A place in S3. ``prefix`` is empty, or ends with a slash."""

    bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


Side = Path | Prefix


def side(text: str) -> Side:
    """Return the side that a word of the command line means. Raises UsageError."""
    if text.startswith("s3://"):
        bucket, _, prefix = text.removeprefix("s3://").partition("/")
        if not _BUCKET.fullmatch(bucket):
            raise UsageError(f"{text}: no bucket can have this name", next="s3://BUCKET/PREFIX")
        return Prefix(bucket, f"{prefix.rstrip('/')}/" if prefix.strip("/") else "")
    if not text:
        raise UsageError("an empty path")
    return Path(text)
