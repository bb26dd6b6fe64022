"""Packages for machines: an archive as it is, or a folder packed into one file."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from roost.errors import RoostError
from roost.recipes.base import UploadSource

LEFT_OUT = frozenset(
    (
        *(".git", ".venv", "__pycache__", ".ipynb_checkpoints", ".DS_Store", "node_modules"),
        *(".mypy_cache", ".ruff_cache", ".pytest_cache", ".tox", "dask-worker-space"),
    )
)
"""What is made again where it is needed, or is nobody else's business."""
MOST = 2 * 2**30
"""Bytes of a project's folder; data comes another way."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A file to bring, and its SHA-256."""

    file: Path
    sha256: str

    @property
    def bytes(self) -> int:
        """The size in bytes."""
        return self.file.stat().st_size


def pack(found: UploadSource, into: Path) -> Packed:
    """Return a file as it is; a folder as an archive in the folder ``into``.

    The same content gives the same archive, whoever packs it and when. Raises RoostError where
    it cannot be read, or is no project but a heap of data.
    """
    source = found.path
    try:
        if not source.is_dir():
            return Packed(source, checksum(source))
        made = into / f"{source.name}-{len(list(into.iterdir()))}.tar.gz"
        _pack_folder(found, made)
    except OSError as error:
        raise RoostError(f"{error.filename or source}: {error.strerror}") from None
    return Packed(made, checksum(made))


def checksum(file: Path) -> str:
    """Return the SHA-256, in hexadecimal digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _pack_folder(found: UploadSource, made: Path) -> None:
    source, total = found.path, 0
    with (
        made.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0, compresslevel=6) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in _all_of(source, found.only):
            total += path.lstat().st_size
            if total > MOST:
                raise RoostError(
                    f"{source} is larger than 2 GiB: data does not belong beside the code",
                    next="put the data in another folder, outside of the project",
                )
            name = str(Path(found.below) / path.relative_to(source))
            tar.add(path, name, recursive=False, filter=_plain)


def _all_of(folder: Path, only: tuple[str, ...] = ()) -> Iterator[Path]:
    """Yield files, folders and links below a folder, in the order of their names."""
    for path in sorted(folder.iterdir()):
        if only and path.name not in only:
            continue
        if path.name in LEFT_OUT or path.is_socket() or path.is_fifo():
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _all_of(path)


def _plain(found: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return the entry without its owner here and its time of writing: they are not content."""
    found.uid = found.gid = 0
    found.uname = found.gname = ""
    found.mtime = 0
    found.mode = 0o755 if found.mode & 0o100 or found.isdir() else 0o644
    return found
