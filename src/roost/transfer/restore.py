"""Restore a folder from a tree and its objects: content, then links, owners, modes, times.

Doing it again after it was cut short fetches what is missing or another, and gives the rest its
owners and times again.

A folder that is to be filled ``once`` is shut for everybody but root until all is there: nobody
takes a part for the whole, or changes what would be fetched again. Once it is whole it says so
itself, and from then on it is left as it is.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from roost.errors import NotFoundError, RoostError
from roost.transfer import attributes, checksums, deletion
from roost.transfer.context import DamagedError, Run
from roost.transfer.engine import Planned, Sync
from roost.transfer.manifest import BEGINS, KINDS, Leaf, TreeError, read
from roost.transfer.plan import Copy
from roost.transfer.pool import Pool, why
from roost.transfer.s3.failures import StoreError
from roost.transfer.verify import NOT_STORED

THREADS = 8
_TYPES = {name: kind for kind, name in KINDS.items()}


@dataclass(slots=True)
class Restoration:
    """The state of a restore. ``wrong``: what failed, and why; ``right``: the files that are whole.

    ``once``: the folder is filled only once, and was ``done`` before.
    """

    leaves: list[Leaf]
    place: str
    sha256: str
    once: bool = False
    done: bool = False
    wrong: dict[str, str] = field(default_factory=dict)
    right: list[Leaf] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def notes(self) -> tuple[str, ...]:
        """What its user has to know of this tree."""
        old = sum(not leaf.sha256 for leaf in self.files)
        said = f"{old:,} of its files are compared by CRC64 or MD5 only: an older roost saved them"
        return (said,) if old else ()

    @property
    def files(self) -> list[Leaf]:
        """The entries that have content."""
        return [leaf for leaf in self.leaves if leaf.kind == "file"]


def plan_restore(
    sync: Sync, at: str = "", sha256: str = "", *, once: bool = False
) -> tuple[Restoration, Planned]:
    """Fetch the tree, and plan what must be fetched for it. Raises RoostError.

    Files that are there are compared by their content.
    """
    run = sync.run
    try:
        restoration = _fetched(run, at, sha256)
        there = {one.name: one for one in run.bucket.objects(run.prefix)}
    except StoreError as error:
        raise error.explained(at or f"s3://{run.bucket.name}/{run.prefix}") from error
    if once:
        restoration = replace(restoration, once=True, done=_mark(run) == restoration.sha256)
    if restoration.done:
        return replace(restoration, right=restoration.files), Planned(same=len(restoration.files))
    run.folder.leftovers.clear()
    for _ in run.folder.files(lambda name, why: None):
        pass  # it notes what an earlier run was receiving
    missing = _different(run, restoration)
    planned = Planned(same=len(restoration.right))
    for leaf in missing:
        entry = there.get(leaf.path)
        if entry is None:
            restoration.wrong[leaf.path] = NOT_STORED
        elif entry.size != leaf.size:
            restoration.wrong[leaf.path] = f"it has {entry.size} bytes in S3, not {leaf.size}"
        else:
            planned.copies.append(Copy(entry, "new"))
    return restoration, planned


def restore(sync: Sync, restoration: Restoration, planned: Planned) -> None:
    """Fetch, compare, and give all of it back; ``back`` says what is wrong. Raises RoostError."""
    run = sync.run
    if restoration.done:
        return
    if restoration.once:
        _shut(run)
    for leaf in restoration.leaves:
        if leaf.kind == "folder" and leaf.path:
            _try(run, restoration, leaf, _folder)
    done = sync.do(planned)
    restoration.wrong.update(done.failed)
    names = {copy.entry.name for copy in planned.copies} - set(restoration.wrong)
    for leaf in _different(
        run, restoration, [leaf for leaf in restoration.files if leaf.path in names]
    ):
        restoration.wrong[leaf.path] = "its content in S3 differs from what was saved"
    for leaf in restoration.leaves:
        if leaf.kind not in {"file", "folder"}:
            _try(run, restoration, leaf, _special)
    # Children before their folder: each change inside a folder changes its time.
    for leaf in reversed([leaf for leaf in restoration.leaves if leaf.path]):
        _try(run, restoration, leaf, _attributes)
    _open(run, restoration)
    os.sync()


def _try(run: Run, restoration: Restoration, leaf: Leaf, work: Callable[[Run, Leaf], None]) -> None:
    """Restore one entry, or note why it failed; nothing is written below what failed."""
    if restoration.wrong and _lost(leaf.path, restoration.wrong):
        return
    try:
        work(run, leaf)
    except OSError as error:
        restoration.wrong[leaf.path] = error.strerror or str(error)


def _lost(path: str, wrong: dict[str, str]) -> bool:
    """Tell if the entry, or a folder above it, could not be restored."""
    return path in wrong or any(path[:at] in wrong for at, one in enumerate(path) if one == "/")


# --- whole, or shut ------------------------------------------------------------------------------

MARK = "trusted.roost.tree"
"""An attribute of the folder: the checksum of the tree it was made from. Only root sees it."""


def _mark(run: Run) -> str:
    with suppress(OSError):
        return os.getxattr(run.folder.below.root, MARK).decode()
    return ""


def _set_mark(run: Run, sha256: str) -> None:
    """Set the mark; without it the same is only done again."""
    with suppress(OSError):
        os.setxattr(run.folder.below.root, MARK, sha256.encode())


def _open(run: Run, restoration: Restoration) -> None:
    """Give the folder its own mode, but keep a part of what is filled once shut."""
    if restoration.once and restoration.wrong:
        return
    if restoration.once:
        os.sync()
        _set_mark(run, restoration.sha256)
    for leaf in restoration.leaves:
        if not leaf.path:
            _try(run, restoration, leaf, _attributes)


def _shut(run: Run) -> None:
    if os.geteuid() == 0:
        os.fchown(run.folder.below.root, 0, 0)
    os.fchmod(run.folder.below.root, 0o700)


# --- the tree ------------------------------------------------------------------------------------


def _fetched(run: Run, at: str, sha256: str) -> Restoration:
    key = at.removeprefix(f"s3://{run.bucket.name}/") if at else _newest(run)
    place = f"s3://{run.bucket.name}/{key}"
    with tempfile.NamedTemporaryFile() as file:
        known = _receive(run, key, file)
        head = run.bucket.head(key)
        found = checksums.proof(run.bucket, key, head, Path(file.name))
        if (found and found[1] != found[2]) or (sha256 and known != sha256):
            raise RoostError(f"{place} differs from what was saved; nothing was changed")
        file.seek(0)
        try:
            return Restoration(read(file), place, known)
        except TreeError as error:
            raise RoostError(f"{place}: {error}; nothing was changed") from None


def _receive(run: Run, key: str, file: IO[bytes]) -> str:
    known = hashlib.sha256()

    def write(data: memoryview, at: int) -> None:
        del at
        known.update(data)
        file.write(data)

    run.bucket.client.fetch(key, {}, write)
    file.flush()
    return known.hexdigest()


def _newest(run: Run) -> str:
    prefix = run.prefix + BEGINS
    found = [prefix + one.name for one in run.bucket.objects(prefix)]
    if not found:
        place = f"s3://{run.bucket.name}/{run.prefix}"
        raise NotFoundError(f"{place} has no tree: nothing of a volume was saved there")
    return max(found)


# --- files ---------------------------------------------------------------------------------------


def _different(
    run: Run, restoration: Restoration, among: Iterable[Leaf] | None = None
) -> list[Leaf]:
    """Return the files that differ from the tree; the others are ``right``."""
    other: list[Leaf] = []

    def work(leaf: Leaf) -> None:
        same = run.patiently(lambda: _same(run, leaf))
        with restoration.lock:
            (restoration.right if same else other).append(leaf)

    found = restoration.files if among is None else among
    for leaf, error in Pool(work, run.stop).all(found, THREADS):
        if isinstance(error, StoreError) and not error.gone:
            restoration.wrong[leaf.path] = why(error)
        else:
            other.append(leaf)
    run.check()
    return other


def _same(run: Run, leaf: Leaf) -> bool:
    above, _, last = leaf.path.rpartition("/")
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with run.folder.below.folder(above) as at:
            file = os.open(last, flags, dir_fd=at)
    except OSError:
        return False
    try:
        return _has_content(run, leaf, file)
    finally:
        os.close(file)


def _has_content(run: Run, leaf: Leaf, file: int) -> bool:
    info = os.fstat(file)
    run.folder.seen[leaf.path] = deletion.Seen(info.st_size, info.st_mtime_ns)
    if not stat.S_ISREG(info.st_mode) or info.st_size != leaf.size:
        return False
    if info.st_nlink > 1:
        return False  # a file of its own is made: its owner and mode would be another's, too
    kind, value = leaf.sums
    content = checksums.Sha256(checksums.of_file(file))
    if kind not in {"crc64nvme", "etag"}:
        raise DamagedError(f"its checksum is of a kind that is not known: {kind}")
    if "-" not in value:
        same = checksums.whole_sum(kind, content, leaf.size) == value
    else:
        part = run.bucket.part_size(run.prefix + leaf.path, 1)
        sizes = checksums.even_parts(leaf.size, part or leaf.size)
        same = checksums.parts_sum(kind, content, sizes) == value
    return same and leaf.sha256 in ("", content.hex(leaf.size))


# --- the rest ------------------------------------------------------------------------------------


def _folder(run: Run, leaf: Leaf) -> None:
    """Make a folder for root only: its mode comes last."""
    run.folder.make(leaf.path)


def _special(run: Run, leaf: Leaf) -> None:
    above, _, last = leaf.path.rpartition("/")
    with run.folder.below.folder(above) as at:
        with suppress(FileNotFoundError):
            now = os.stat(last, dir_fd=at, follow_symlinks=False)
            if KINDS[stat.S_IFMT(now.st_mode)] == leaf.kind and _leads(at, last, leaf) == leaf.to:
                return
            deletion.remove_special(last, now, at=at)
        if leaf.kind == "link":
            os.symlink(leaf.to, last, dir_fd=at)
        else:
            os.mknod(last, _TYPES[leaf.kind] | 0o600, leaf.device, dir_fd=at)


def _leads(at: int, name: str, leaf: Leaf) -> str:
    return os.readlink(name, dir_fd=at) if leaf.kind == "link" else ""


def _attributes(run: Run, leaf: Leaf) -> None:
    if not leaf.path:
        attributes.give(leaf, run.folder.below.root, ".")
        return
    above, _, last = leaf.path.rpartition("/")
    with run.folder.below.folder(above) as at:
        attributes.give(leaf, at, last)
