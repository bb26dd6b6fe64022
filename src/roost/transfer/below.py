"""Descriptors of the folders below one root, so that nothing leaves it.

A path is only as good as each of its parts at the moment of its use: a folder may become a
symlink to elsewhere between a look and a write. Here each part is opened below the one before it,
never through a symlink, and all work is done below the descriptor of the last one. The
descriptors are kept for the next file, a bounded number of them.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import OrderedDict
from contextlib import suppress
from threading import Lock
from types import TracebackType

from roost.errors import RoostError

MOST = 128
"""Folders that are kept open."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEEDED = ("open", "mkdir", "stat", "rename", "unlink", "rmdir")


class Held:
    """An open folder that somebody works in: ``with below.folder("a/b") as file``."""

    __slots__ = ("_below", "_users", "dropped", "file", "path")

    def __init__(self, below: Below, path: str, file: int) -> None:
        self._below, self.path, self.file = below, path, file
        self._users = 1
        self.dropped = False

    def __enter__(self) -> int:
        return self.file

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._below.lock:
            self._users -= 1
            unused = self.dropped and not self._users
        if unused:
            os.close(self.file)

    def taken(self) -> Held:
        """Count one more user. The lock must be held."""
        self._users += 1
        return self

    def drop(self) -> None:
        """Close it as soon as nobody uses it. The lock must be held."""
        self.dropped = True
        if not self._users:
            os.close(self.file)


class Below:
    """The folders below a root, by their names: ``""`` is the root, ``"a/b"`` a folder in it."""

    def __init__(self, root: str | os.PathLike[str], most: int = MOST) -> None:
        if any(getattr(os, name) not in os.supports_dir_fd for name in _NEEDED):
            raise RoostError(
                "this system cannot open a file below a folder that is open: roost could not "
                "keep what it writes inside of the destination, and writes nothing"
            )
        self.root = os.open(root, _FOLDER)
        self.lock = Lock()
        self._most = most
        self._open: OrderedDict[str, Held] = OrderedDict()

    def close(self) -> None:
        """Close all folders, those in use when their users have ended."""
        with self.lock:
            for one in self._open.values():
                one.drop()
            self._open.clear()
            if self.root >= 0:
                os.close(self.root)
            self.root = -1

    def folder(self, path: str, *, make: bool = False) -> Held:
        """Open a folder, and make it where ``make`` says so. Raises OSError.

        ELOOP or ENOTDIR: a part of it is a symlink, or a file.
        """
        with self.lock:
            known = self._open.get(path)
            if known is not None:
                self._open.move_to_end(path)
                return known.taken()
        if not path:
            return self._keep(path, os.dup(self.root))
        above, _, name = path.rpartition("/")
        with self.folder(above, make=make) as parent:
            return self._keep(path, _opened(name, parent, path, make=make))

    def _keep(self, path: str, file: int) -> Held:
        with self.lock:
            other = self._open.get(path)
            if other is not None:  # another thread was faster
                os.close(file)
                return other.taken()
            held = self._open[path] = Held(self, path, file)
            while len(self._open) > self._most:
                _, oldest = self._open.popitem(last=False)
                oldest.drop()
            return held

    def forget(self, path: str) -> None:
        """Keep a folder, and all below it, open no longer: it is removed or replaced."""
        with self.lock:
            for name in [one for one in self._open if one == path or one.startswith(f"{path}/")]:
                self._open.pop(name).drop()

    def in_place(self, path: str, file: int) -> bool:
        """Tell if an open folder is still the one that its path leads to."""
        here = self.root
        try:
            for part in path.split("/") if path else ():
                there = _opened(part, here, path, make=False)
                if here != self.root:
                    os.close(here)
                here = there
            return os.path.samestat(os.fstat(here), os.fstat(file))
        except OSError:
            return False
        finally:
            if here != self.root:
                os.close(here)


def _opened(name: str, parent: int, path: str, *, make: bool) -> int:
    try:
        try:
            return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
        except FileNotFoundError:
            if not make:
                raise
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=parent)
            return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
    except OSError as error:
        raise explained(error, parent, name, path) from None


def explained(error: OSError, parent: int, name: str, path: str) -> OSError:
    """Return the error in words, where the reason is a symlink or a file in a folder's place."""
    if error.errno not in {errno.ELOOP, errno.ENOTDIR}:
        return error
    with suppress(OSError):
        if stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            return OSError(errno.ELOOP, "its folder is a symlink", path)
    return NotADirectoryError(errno.ENOTDIR, "a file is where its folder should be", path)
