"""The user's folder of the project, from the uploaded one; her own changes are kept.

A file is written where there was none, and renewed where it is still as it was brought the last
time. What she changed or deleted here stays as she left it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from roost.machine.common import read, write

NOTES = ".roost-brought.json"
"""The file in the folder with the checksum of every uploaded file."""


def bring(source: Path, target: Path) -> list[str]:
    """Copy what is new; return the files that the user changed here and that differ."""
    target.mkdir(parents=True, exist_ok=True)
    before = read(target / NOTES)
    notes = dict(before)
    kept = []
    for path in _files(source):
        name = str(path.relative_to(source))
        new, last, here = checksum(path), before.get(name), checksum(target / name)
        notes[name] = new
        if here == (last or "") and new != here:
            _copy(path, target / name)
        elif here not in ("", new) and new != last:
            kept.append(name)
    write(target / NOTES, notes)
    return kept


def link(target: Path, name: Path) -> bool:
    """Link ``name`` to ``target``; return False where something else is in its place."""
    if name.is_symlink():
        name.unlink()
    if name.exists() and not _is_empty(name):
        return name.samefile(target)
    if name.exists():
        name.rmdir()
    name.parent.mkdir(parents=True, exist_ok=True)
    name.symlink_to(target)
    return True


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def checksum(path: Path) -> str:
    """Return the checksum of a file's content, or of a link's target; empty for nothing."""
    if path.is_symlink():
        return f"-> {os.readlink(path)}"
    try:
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except FileNotFoundError:
        return ""
    except (IsADirectoryError, NotADirectoryError):
        return "something else"


def _files(folder: Path) -> Iterator[Path]:
    """Yield files and links; the folders that hold them come with them."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
        else:
            yield path


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.new")
    beside.unlink(missing_ok=True)
    shutil.copyfile(source, beside, follow_symlinks=False)
    if not source.is_symlink():
        shutil.copymode(source, beside)
    beside.replace(target)


def main() -> None:
    """Run ``project bring SOURCE TARGET`` or ``project link TARGET NAME``, as the user."""
    what, source, target = sys.argv[1], *(Path(word).expanduser() for word in sys.argv[2:4])
    if what == "link":
        if not link(source, target):
            print(f"{target} stays what it is; the project is in {source}")  # noqa: T201
        return
    for name in bring(source, target):
        print(f"kept, because it was changed here: {target / name}")  # noqa: T201


if __name__ == "__main__":
    main()
