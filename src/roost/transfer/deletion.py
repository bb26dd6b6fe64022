"""The law of deletion: what a sync may unlink, delete in S3 or overwrite, and on which evidence.

Every unlink, rmdir, rename and DeleteObject of a sync is here, and each asks for evidence. Where
the evidence is missing, or does not hold any more at the last moment, the file or object stays and
is named with the reason.

| what goes | evidence |
|---|---|
| a name that only the target has | the source was listed whole and does not have it, |
| | nothing above it was unread, and it still is what was seen |
| a moved file, a janitor's waste | ``Stored``: proven in S3; ``openness.settled``: nobody writes |
| what a copy takes the place of | ``Seen``: it still is what was seen, or is the same already |
| a file that was being received | a name that only roost gives, and the lock on it |
| a multipart upload | begun by this computer for these sides, or stale (``own_uploads``) |
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from roost.transfer import openness
from roost.transfer.deletion_rules import Names, no_result
from roost.transfer.key_rules import file_trouble, is_part
from roost.transfer.listing import Entry
from roost.transfer.s3.failures import StoreError

if TYPE_CHECKING:
    from roost.transfer.local import Folder
    from roost.transfer.s3.bucket import Bucket

CHANGED = "it changed here since it was looked at; the same command looks again"
AT_ONCE = 1000
"""Keys of one request."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as it was looked at."""

    size: int
    mtime_ns: int

    def holds(self, info: os.stat_result) -> bool:
        """Tell if a file still is what was looked at."""
        return (info.st_size, info.st_mtime_ns) == (self.size, self.mtime_ns)


@dataclass(frozen=True, slots=True)
class Stored:
    """A file whose object was compared with it, byte by byte."""

    name: str
    seen: Seen


@dataclass(frozen=True, slots=True)
class Waste:
    """A file that a janitor's rule calls waste, and its result, which is stored."""

    name: str
    seen: Seen
    result: Stored


@dataclass(frozen=True, slots=True)
class Root:
    """The folder that was listed: another disk may be in its place by now."""

    device: int
    inode: int

    @classmethod
    def of(cls, path: os.PathLike[str]) -> Root:
        """Return that of a path. Raises OSError."""
        info = os.stat(path)
        return cls(info.st_dev, info.st_ino)

    def is_still(self, path: os.PathLike[str]) -> bool:
        """Tell if the same folder is at the path."""
        try:
            return Root.of(path) == self
        except OSError:
            return False


# --- what only the target has --------------------------------------------------------------------


def delete_extra_objects(
    bucket: Bucket, prefix: str, folder: Folder, root: Root, extra: Sequence[Entry]
) -> tuple[list[str], Names]:
    """Delete the objects that the folder does not have; return them, and those that stay.

    The plan may be hours old: S3 is listed again, and each name is looked for in the folder.
    Raises StoreError.
    """
    wanted = {entry.name: entry for entry in extra}
    now = {one.name: one for one in bucket.objects(prefix) if one.name in wanted}
    if not root.is_still(folder.root):
        return [], [(name, "kept: another folder is in the source's place") for name in wanted]
    gone = [name for name in wanted if name not in now]
    failed: Names = []
    due: list[str] = []
    for name, entry in reversed(wanted.items()):
        if name not in now:
            continue
        if (now[name].tag, now[name].size) != (entry.tag, entry.size):
            failed.append((name, "kept: it changed in S3 since it was looked at"))
        elif _exists(folder, name):
            failed.append((name, "kept: it is in the folder again"))
        else:
            due.append(name)
    for at in range(0, len(due), AT_ONCE):
        some = due[at : at + AT_ONCE]
        refused = bucket.delete([prefix + name for name in some])
        failed += [(key.removeprefix(prefix), why) for key, why in refused.items()]
        gone += [name for name in some if prefix + name not in refused]
    return gone, failed


def _exists(folder: Folder, name: str) -> bool:
    """Tell if the folder has the name; also where that cannot be told."""
    if file_trouble(name):
        return False  # no file can have it
    try:
        info = os.lstat(f"{folder.base}{name}")
    except OSError as error:
        return error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}
    return name.endswith("/") or not stat.S_ISDIR(info.st_mode)


def delete_older_trees(bucket: Bucket, below: str, newest: str) -> Names:
    """Delete the trees (whose keys begin so) before the newest, which is whole and in S3.

    Return those that stay. Raises StoreError.
    """
    keys = [below + one.name for one in bucket.objects(below)]
    if newest not in keys:
        return [(newest, "the older trees stay, as S3 does not list it yet")]
    older = [key for key in keys if key != newest]
    refused: Names = []
    for at in range(0, len(older), AT_ONCE):
        refused += bucket.delete(older[at : at + AT_ONCE]).items()
    return refused


def delete_damaged(bucket: Bucket, key: str, answered: str) -> None:
    """Delete an object that was just made of other bytes than were sent.

    Only if it is the very one that S3 ``answered`` to have made: what was there before is not.
    """
    with suppress(StoreError):
        if answered and bucket.head(key).tag == answered:
            bucket.delete([key])


def delete_extra_files(
    bucket: Bucket, prefix: str, folder: Folder, extra: Sequence[Entry]
) -> tuple[list[str], Names]:
    """Delete the files that S3 does not have; return them, and those that stay.

    S3 is listed again, as the plan may be hours old. Raises StoreError.
    """
    wanted = {entry.name for entry in extra}
    again = {one.name for one in bucket.objects(prefix) if one.name in wanted}
    gone: list[str] = []
    failed: Names = []
    for entry in reversed(extra):
        if entry.name in again:
            failed.append((entry.name, "kept: it is in S3 again"))
            continue
        try:
            if not _is_still(folder, entry):
                failed.append((entry.name, "kept: it changed here since it was looked at"))
                continue
            remove(folder, entry.name)
            gone.append(entry.name)
        except FileNotFoundError:
            gone.append(entry.name)
        except OSError as error:
            failed.append((entry.name, error.strerror or str(error)))
    return gone, failed


def _is_still(folder: Folder, entry: Entry) -> bool:
    info = os.stat(f"{folder.base}{entry.name}", follow_symlinks=folder.follow)
    return entry.folder or Seen(entry.size, entry.mtime_ns).holds(info)


def remove(folder: Folder, name: str) -> None:
    """Remove a file, or an empty folder, of which the caller has the evidence. Raises OSError."""
    above, _, last = name.rstrip("/").rpartition("/")
    with folder.below.folder(above) as at:
        if name.endswith("/"):
            os.rmdir(last, dir_fd=at)
            folder.below.forget(name.rstrip("/"))
        else:
            os.unlink(last, dir_fd=at)


def remove_empty(folder: Folder, names: Iterable[str], keep: Iterable[str]) -> None:
    """Remove the folders of deleted names, and those above, that nothing is in any more."""
    above = {name[: at + 1] for name in names for at, one in enumerate(name) if one == "/"}
    for each in sorted(above - set(keep), key=len, reverse=True):
        with suppress(OSError):
            remove(folder, each)


# --- what is stored ------------------------------------------------------------------------------


def remove_stored(folder: Folder, stored: Stored, rule: openness.Rule) -> str:
    """Delete a file that is proven in S3; return the reason for which it stays, "" if it is gone.

    Nobody may open it for writing between the last look and its end (``openness.settled``).
    """
    path = f"{folder.base}{stored.name}"
    above, _, last = stored.name.rpartition("/")
    try:
        with (
            folder.below.folder(above) as at,
            openness.settled(path, rule, follow=folder.follow) as look,
        ):
            if look.reason:
                return look.reason
            if not stored.seen.holds(look.info):
                return openness.Passing("it changed since it was looked at")
            if not folder.follow and not os.path.samestat(
                os.stat(last, dir_fd=at, follow_symlinks=False), look.info
            ):
                return openness.Passing("its folder was replaced")
            os.unlink(last, dir_fd=at)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def remove_waste(folder: Folder, waste: Waste, rule: openness.Rule) -> str:
    """Delete a file whose result is proven in S3; return why it stays, "" if it is gone."""
    result = waste.result
    try:
        info = os.stat(f"{folder.base}{result.name}", follow_symlinks=folder.follow)
    except OSError as error:
        return f"its result {result.name}: {error.strerror}"
    if not result.seen.holds(info):
        return openness.Passing(f"its result {result.name} changed since it was compared")
    of = Entry(result.name, result.seen.size, result.seen.mtime_ns)
    why = no_result(Entry(waste.name, waste.seen.size, waste.seen.mtime_ns), of)
    return why or remove_stored(folder, Stored(waste.name, waste.seen), rule)


# --- what a copy takes the place of --------------------------------------------------------------


def give_name(part: str, name: str, seen: Seen | None, *, at: int | None = None) -> None:
    """Give a received file its name, in place of what was ``seen`` there (None: nothing).

    Both are paths, or names in the open folder ``at``. Raises OSError: ESTALE where another file
    is there by now, unless it is the same already.
    """
    try:
        now = os.stat(name, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        now = None
    if now is not None and stat.S_ISLNK(now.st_mode):
        raise OSError(errno.ELOOP, "a symlink is in its place", name)
    if now is not None and (seen is None or not seen.holds(now)):
        mine = os.stat(part, dir_fd=at, follow_symlinks=False)
        if not Seen(mine.st_size, mine.st_mtime_ns).holds(now):
            raise OSError(errno.ESTALE, CHANGED, name)
    os.rename(part, name, src_dir_fd=at, dst_dir_fd=at)


def remove_special(name: str, info: os.stat_result, *, at: int | None = None) -> None:
    """Remove a link, FIFO, socket or device that a tree has differently. Raises OSError.

    A file has content that is nowhere else: it stays.
    """
    if stat.S_ISREG(info.st_mode):
        raise OSError(errno.EEXIST, "a file is in its place", name)
    os.unlink(name, dir_fd=at)


# --- files that are being received ---------------------------------------------------------------


def open_part(name: str, *, at: int | None = None) -> int | None:
    """Open a file to receive into, and lock it; None where another sync receives into it.

    The lock ends when the file is closed: close it when it has its name. Raises OSError.
    """
    while True:
        file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666, dir_fd=at)
        try:
            if not _locked(file):
                os.close(file)
                return None
            now = os.stat(name, dir_fd=at, follow_symlinks=False)
            if os.path.samestat(now, os.fstat(file)):
                return file
        except FileNotFoundError:
            pass  # the other sync has just ended, and its file has its name by now
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _locked(file: int) -> bool:
    """Lock a file; also where the file system has no locks. False where another has the lock."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in {errno.EWOULDBLOCK, errno.EACCES}
    return True


def discard_part(name: str, *, at: int | None = None) -> None:
    """Remove a file of one's own that was received and is not what it should be."""
    with suppress(OSError):
        os.unlink(name, dir_fd=at)


def clean_parts(folder: Folder, paths: Iterable[Path]) -> None:
    """Remove what an earlier run was receiving: roost's own names that nobody has locked."""
    for path in paths:
        above = path.parent.relative_to(folder.root).as_posix()
        with suppress(OSError), folder.below.folder("" if above == "." else above) as at:
            file = os.open(path.name, os.O_RDWR | os.O_NOFOLLOW, dir_fd=at)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                now = os.stat(path.name, dir_fd=at, follow_symlinks=False)
                if is_part(path.name) and os.path.samestat(now, os.fstat(file)):
                    os.unlink(path.name, dir_fd=at)
            finally:
                os.close(file)


def folds_case(root: Path) -> bool:
    """Tell if the file system takes "A" and "a" for the same name."""
    probe = root / f".CASE-{os.urandom(8).hex()}"
    try:
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    except OSError:
        return False
    try:
        return os.path.lexists(probe.with_name(probe.name.swapcase()))
    finally:
        probe.unlink(missing_ok=True)


def remove_own(paths: Iterable[Path]) -> None:
    """Remove files of roost's own, in folders that are roost's own (a cache, a spool)."""
    for path in paths:
        path.unlink(missing_ok=True)
