"""One object, or one file, as a side: its folder takes part, and in it nothing but this name."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from roost.errors import UsageError, command_line
from roost.transfer.filters import NameFilter
from roost.transfer.key_rules import file_trouble
from roost.transfer.listing import Prefix
from roost.transfer.s3.bucket import Bucket
from roost.transfer.s3.failures import StoreError


@dataclass(frozen=True, slots=True)
class Sides:
    """A folder and a prefix, and the names that take part."""

    folder: Path
    prefix: Prefix
    included: NameFilter


def file_sides(sides: Sides) -> Sides:
    """Return the sides that are meant where the source is one file."""
    path = sides.folder
    if path.is_dir() or not path.is_file():
        return sides
    return replace(sides, folder=path.parent, included=_only(path.name, sides.included))


def object_sides(bucket: Bucket, sides: Sides) -> Sides:
    """Return the sides that are meant where the source is one object. Raises RoostError."""
    key = sides.prefix.prefix.rstrip("/")
    if not key or not _is_object(bucket, sides.prefix.prefix, key):
        return sides
    above, _, name = key.rpartition("/")
    folder, prefix = sides.folder, Prefix(sides.prefix.bucket, f"{above}/" if above else "")
    trouble = file_trouble(name)
    if trouble:
        raise UsageError(f"s3://{prefix.bucket}/{key}: {trouble}")
    if folder.name == name and not folder.is_dir():
        folder = folder.parent
    elif folder.exists() and not folder.is_dir():
        raise UsageError(
            f"{folder} is a file, and the object is called {name}: roost does not rename",
            next=command_line("roost", "sync", f"s3://{prefix.bucket}/{key}", f"{folder.parent}/"),
        )
    return Sides(folder, prefix, _only(name, sides.included))


def _only(name: str, included: NameFilter) -> NameFilter:
    return NameFilter((re.compile(re.escape(name)),), included.exclude, name)


def _is_object(bucket: Bucket, prefix: str, key: str) -> bool:
    """Tell if there is an object of that key and nothing below it, as in a folder."""
    try:
        if next(iter(bucket.objects(prefix)), None) is not None:
            return False
        bucket.head(key)
    except StoreError as error:
        if error.hopeless and not error.fatal:
            return False
        raise error.explained(f"s3://{bucket.name}/{key}") from error
    return True
