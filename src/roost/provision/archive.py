"""Packages for machines: an archive as it is, or a folder packed into one file."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from roost.errors import RoostError
from roost.machine.clean import is_secret
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
    """A file to bring, and its SHA-256; ``left_out`` are secrets that are not in it."""

    file: Path
    sha256: str
    left_out: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """The size in bytes."""
        return self.file.stat().st_size


def pack(found: UploadSource, into: Path) -> Packed:
    """Return a file as it is; a folder as an archive in the folder ``into``.

    The same content gives the same archive, whoever packs it and when. What looks like a secret
    is left out, unless it is named. Raises RoostError where it cannot be read, or is no project
    but a heap of data.
    """
    source = found.path
    try:
        if not source.is_dir():
            return Packed(source, checksum(source))
        made = into / f"{source.name}-{len(list(into.iterdir()))}.tar.gz"
        left_out = _pack_folder(found, made)
    except OSError as error:
        raise RoostError(f"{error.filename or source}: {error.strerror}") from None
    return Packed(made, checksum(made), left_out)


def checksum(file: Path) -> str:
    """Return the SHA-256, in hexadecimal digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _pack_folder(found: UploadSource, made: Path) -> tuple[str, ...]:
    """Write the archive; return what is left out of it."""
    source, total = found.path, 0
    left_out: list[str] = []
    with (
        made.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0, compresslevel=6) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in _all_of(found, source, left_out):
            total += path.lstat().st_size
            if total > MOST:
                raise RoostError(
                    f"{source} is larger than 2 GiB: data does not belong beside the code",
                    next="put the data in another folder, outside of the project",
                )
            name = str(Path(found.below) / path.relative_to(source))
            tar.add(path, name, recursive=False, filter=_plain)
    return tuple(left_out)


def _all_of(found: UploadSource, folder: Path, left_out: list[str]) -> Iterator[Path]:
    """Yield files, folders and links below a folder, in the order of their names."""
    for path in sorted(folder.iterdir()):
        if folder == found.path and found.only and path.name not in found.only:
            continue
        if path.name in LEFT_OUT or path.is_socket() or path.is_fifo():
            continue
        name = path.relative_to(found.path).as_posix()
        if is_secret(path) and not any(_is_below(name, one) for one in found.secrets):
            left_out.append(name)
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _all_of(found, path, left_out)


def _is_below(name: str, folder: str) -> bool:
    return f"{name}/".startswith(f"{folder.strip('/')}/")


def _plain(found: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return the entry without its owner here and its time of writing: they are not content.

    Its mode stays, but nobody else may write: that differs with a computer's umask.
    """
    found.uid = found.gid = 0
    found.uname = found.gname = ""
    found.mtime = 0
    found.mode = 0o777 if found.issym() else found.mode & 0o755 | (0o700 if found.isdir() else 0)
    return found
