"""From a tree and its objects back to the folder: content, then links, owners, modes, times.

Doing it again after it was cut short fetches what is missing or another, and gives the rest its
owners and times again.

A folder that is to be filled ``once`` is shut for everybody but root until all is there: nobody
takes a part for the whole, or changes what would be fetched again. Once it is whole it says so
itself, and from then on it is left as it is.
"""

from __future__ import annotations

import base64
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
from roost.transfer import checksums
from roost.transfer.context import DamagedError, Run
from roost.transfer.engine import Planned, Sync
from roost.transfer.manifest import BEGINS, KEPT, KINDS, Leaf, TornError, read
from roost.transfer.plan import Copy
from roost.transfer.pool import Hands, why
from roost.transfer.s3.failures import StoreError

HANDS = 8
_TYPES = {name: kind for kind, name in KINDS.items()}


@dataclass(slots=True)
class Back:
    """What came back. ``wrong``: what did not, and why; ``right`` are the files that did.

    ``once``: it is to come back once, and was ``done`` before.
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
    def files(self) -> list[Leaf]:
        """Those that have content."""
        return [leaf for leaf in self.leaves if leaf.kind == "file"]


def look(sync: Sync, at: str = "", sha256: str = "", *, once: bool = False) -> tuple[Back, Planned]:
    """The tree, and what must be fetched for it. Raises RoostError.

    Files that are there are compared by their content.
    """
    run = sync.run
    try:
        back = _fetched(run, at, sha256)
        there = {one.name: one for one in run.bucket.objects(run.prefix)}
    except StoreError as error:
        raise error.explained(at or f"s3://{run.bucket.name}/{run.prefix}") from error
    if once:
        back = replace(back, once=True, done=_mark(run) == back.sha256)
    if back.done:
        return replace(back, right=back.files), Planned(same=len(back.files))
    run.folder.leftovers.clear()
    for _ in run.folder.files(lambda name, why: None):
        pass  # it notes what an earlier run was receiving
    missing = _different(run, back)
    planned = Planned(same=len(back.right))
    for leaf in missing:
        entry = there.get(leaf.path)
        if entry is None:
            back.wrong[leaf.path] = "it is not in S3"
        elif entry.size != leaf.size:
            back.wrong[leaf.path] = f"it has {entry.size} bytes in S3, not {leaf.size}"
        else:
            planned.copies.append(Copy(entry, "new"))
    return back, planned


def put_back(sync: Sync, back: Back, planned: Planned) -> None:
    """Fetch, compare, and give all of it back; ``back`` says what is wrong. Raises RoostError."""
    run = sync.run
    if back.done:
        return
    if back.once:
        _shut(run)
    for leaf in back.leaves:
        if leaf.kind == "folder" and leaf.path:
            _try(run, back, leaf, _folder)
    done = sync.do(planned)
    back.wrong.update(done.failed)
    names = {copy.entry.name for copy in planned.copies} - set(back.wrong)
    for leaf in _different(run, back, [leaf for leaf in back.files if leaf.path in names]):
        back.wrong[leaf.path] = "its content in S3 is not what was saved"
    for leaf in back.leaves:
        if leaf.kind not in {"file", "folder"}:
            _try(run, back, leaf, _special)
    # From the inside out: what is done in a folder changes its time.
    for leaf in reversed([leaf for leaf in back.leaves if leaf.path]):
        _try(run, back, leaf, _attributes)
    _open(run, back)
    os.sync()


def _try(run: Run, back: Back, leaf: Leaf, work: Callable[[Run, Leaf], None]) -> None:
    """One thing that cannot be given back keeps no other from it; but nothing goes through it."""
    if back.wrong and _lost(leaf.path, back.wrong):
        return
    try:
        work(run, leaf)
    except OSError as error:
        back.wrong[leaf.path] = error.strerror or str(error)


def _lost(path: str, wrong: dict[str, str]) -> bool:
    """Whether it, or a folder that it is in, is not there as it should be."""
    return path in wrong or any(path[:at] in wrong for at, one in enumerate(path) if one == "/")


# --- whole, or shut ------------------------------------------------------------------------------

MARK = "trusted.roost.tree"
"""Of the folder itself: the checksum of the tree that it was made from. Only root sees it."""


def _mark(run: Run) -> str:
    with suppress(OSError):
        return os.getxattr(run.folder.root, MARK).decode()
    return ""


def _set_mark(run: Run, sha256: str) -> None:
    """Where it cannot be set, the same is only done again."""
    with suppress(OSError):
        os.setxattr(run.folder.root, MARK, sha256.encode())


def _open(run: Run, back: Back) -> None:
    """Everybody may see it who could; but not a part of what comes back once."""
    if back.once and back.wrong:
        return
    if back.once:
        os.sync()
        _set_mark(run, back.sha256)
    for leaf in back.leaves:
        if not leaf.path:
            _try(run, back, leaf, _attributes)


def _shut(run: Run) -> None:
    if os.geteuid() == 0:
        os.chown(run.folder.root, 0, 0)
    os.chmod(run.folder.root, 0o700)


# --- the tree ------------------------------------------------------------------------------------


def _fetched(run: Run, at: str, sha256: str) -> Back:
    key = at.removeprefix(f"s3://{run.bucket.name}/") if at else _newest(run)
    place = f"s3://{run.bucket.name}/{key}"
    with tempfile.NamedTemporaryFile() as file:
        known = _receive(run, key, file)
        head = run.bucket.head(key)
        found = checksums.proof(run.bucket, key, head, Path(file.name))
        if (found and found[1] != found[2]) or (sha256 and known != sha256):
            raise RoostError(f"{place} is not what was saved; nothing was changed")
        file.seek(0)
        try:
            return Back(read(file), place, known)
        except TornError as error:
            raise RoostError(f"{place}: {error}; nothing was changed") from None


def _receive(run: Run, key: str, file: IO[bytes]) -> str:
    known = hashlib.sha256()

    def write(data: memoryview, at: int) -> None:
        del at
        known.update(data)
        file.write(data)

    run.bucket.wire.fetch(key, {}, write)
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


def _different(run: Run, back: Back, among: Iterable[Leaf] | None = None) -> list[Leaf]:
    """The files that are not what the tree says; the others are ``right``."""
    other: list[Leaf] = []

    def work(leaf: Leaf) -> None:
        same = run.patiently(lambda: _same(run, leaf))
        with back.lock:
            (back.right if same else other).append(leaf)

    found = back.files if among is None else among
    for leaf, error in Hands(work, run.stop).all(found, HANDS):
        if isinstance(error, StoreError) and not error.gone:
            back.wrong[leaf.path] = why(error)
        else:
            other.append(leaf)
    run.check()
    return other


def _same(run: Run, leaf: Leaf) -> bool:
    path = run.folder.path(leaf.path)
    try:
        info = path.lstat()
    except OSError:
        return False
    if not stat.S_ISREG(info.st_mode) or info.st_size != leaf.size:
        return False
    kind, value = leaf.sums
    if kind == "crc64nvme":
        return checksums.file_crc64(path) == value
    if kind != "etag":
        raise DamagedError(f"its checksum is of a kind that is not known: {kind}")
    part = run.bucket.first_part(run.prefix + leaf.path) if "-" in value else None
    return checksums.file_tag(path, part) == value


# --- the rest ------------------------------------------------------------------------------------


def _folder(run: Run, leaf: Leaf) -> None:
    """For nobody else until all is there: its mode comes last."""
    run.folder.make(leaf.path)


def _special(run: Run, leaf: Leaf) -> None:
    path = f"{run.folder.base}{leaf.path}"
    with suppress(FileNotFoundError):
        now = os.lstat(path)
        if KINDS[stat.S_IFMT(now.st_mode)] == leaf.kind and _leads(path, leaf) == leaf.to:
            return
        os.unlink(path)
    if leaf.kind == "link":
        os.symlink(leaf.to, path)
    else:
        os.mknod(path, _TYPES[leaf.kind] | 0o600, leaf.device)


def _leads(path: str, leaf: Leaf) -> str:
    return os.readlink(path) if leaf.kind == "link" else ""


def _attributes(run: Run, leaf: Leaf) -> None:
    """In this order: a new owner takes away bits and capabilities, a mode changes an ACL."""
    path = f"{run.folder.base}{leaf.path}" if leaf.path else os.fspath(run.folder.root)
    os.chown(path, leaf.uid, leaf.gid, follow_symlinks=False)
    if leaf.kind != "link":
        os.chmod(path, leaf.mode)
    for name in _others(path, leaf):
        os.removexattr(path, name, follow_symlinks=False)
    for name, value in leaf.xattrs.items():
        os.setxattr(path, name, base64.b64decode(value), follow_symlinks=False)
    os.utime(path, ns=(leaf.mtime_ns, leaf.mtime_ns), follow_symlinks=False)


def _others(path: str, leaf: Leaf) -> list[str]:
    with suppress(OSError):
        there = os.listxattr(path, follow_symlinks=False)
        return [one for one in there if one.startswith(KEPT) and one not in leaf.xattrs]
    return []
