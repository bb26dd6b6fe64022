"""The folder: a listing in order of names, and files that appear whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from roost.transfer import deletion
from roost.transfer.below import Below
from roost.transfer.deletion import Seen
from roost.transfer.key_rules import is_part, key_trouble, part_name
from roost.transfer.listing import Entry

Tell = Callable[[str, str], None]
"""A function of a name and the reason for which it does not take part."""
Enters = Callable[[str], bool]
"""A function that tells if a folder shall be looked into."""
_ZEROS = bytes(2**15)
"""What one write takes at most: the kernel keeps pages of up to 32 KiB at hand for each processor.
Larger ones a virtual machine has to ask its host for."""


@dataclass(slots=True)
class Folder:
    """One side of a sync. ``leftovers`` are files that an earlier run was receiving.

    ``left_out`` has what the last listing left out, and why; ``unread`` what of it could not be
    read. ``seen``: the files that copies take the place of, as they were when the plan was made.
    """

    root: Path
    follow: bool = False
    prefix: str = ""
    leftovers: set[Path] = field(default_factory=set)
    left_out: dict[str, str] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    seen: dict[str, Seen] = field(default_factory=dict)
    _opened: Below | None = None
    _lock: Lock = field(default_factory=Lock)

    def files(self, tell: Tell, enters: Enters = lambda folder: True) -> Iterator[Entry]:
        """Yield everything below, a folder before its content, in order of names.

        A folder below that ``enters`` refuses is left out with all that is in it.
        """
        self.left_out.clear()
        self.unread.clear()

        def note(name: str, why: str) -> None:
            self.left_out[name] = why
            tell(name, why)

        yield from self._below(os.fspath(self.root), "", frozenset(), note, enters)

    def _failed(self, name: str, error: OSError, tell: Tell) -> None:
        """Note what could not be read; a file that has just gone, or a link to nowhere, is none."""
        if not isinstance(error, FileNotFoundError) or not name:
            self.unread.add(name)
        tell(name, error.strerror or str(error))

    def _below(
        self, path: str, base: str, above: frozenset[tuple[int, int]], tell: Tell, enters: Enters
    ) -> Iterator[Entry]:
        try:
            if self.follow:
                info = os.stat(path)
                here = (info.st_dev, info.st_ino)  # each file system counts from one
                if here in above:
                    tell(base, "a symlink leads back to where it is")
                    return
                above = above | {here}
            with os.scandir(path) as found:
                inside = sorted((self._sort_key(one), one) for one in found)
        except OSError as error:
            self._failed(base, error, tell)
            return
        trouble = key_trouble(base, self.prefix)
        if trouble and not inside:
            tell(base, trouble)
        elif base and not trouble:
            yield Entry(base, 0, 0, empty=not inside)
        for name, one in inside:
            if name.endswith("/"):
                if enters(base + name):
                    yield from self._below(one.path, base + name, above, tell, enters)
            else:
                yield from self._file(one, base + name, tell)

    def _sort_key(self, one: os.DirEntry[str]) -> str:
        return f"{one.name}/" if one.is_dir(follow_symlinks=self.follow) else one.name

    def _file(self, one: os.DirEntry[str], name: str, tell: Tell) -> Iterator[Entry]:
        if is_part(one.name):
            self.leftovers.add(Path(one.path))
            return
        trouble = key_trouble(name, self.prefix)
        if trouble:
            tell(name, trouble)
            return
        try:
            info = one.stat(follow_symlinks=self.follow)
        except OSError as error:
            self._failed(name, error, tell)
            return
        if stat.S_ISREG(info.st_mode):
            yield Entry(name, info.st_size, info.st_mtime_ns)
        elif stat.S_ISLNK(info.st_mode):
            tell(name, "a symlink (--follow-symlinks copies what it leads to)")
        else:
            tell(name, "neither a file nor a folder")

    @property
    def base(self) -> str:
        """The beginning of all paths; a Path for each file would take longer than opening it."""
        return f"{os.fspath(self.root)}/"

    def path(self, name: str) -> Path:
        """Return the path of a name."""
        return self.root / name

    # --- receiving ---------------------------------------------------------------------------

    @property
    def below(self) -> Below:
        """The folders below the root, to write in. Raises OSError, RoostError."""
        with self._lock:
            if self._opened is None:
                self._opened = Below(self.root)
            return self._opened

    def close(self) -> None:
        """Close what was opened to write in."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def make(self, name: str) -> None:
        """Make the folder of that name. Raises OSError where it would be elsewhere."""
        with self.below.folder(name.rstrip("/"), make=True):
            pass

    def receiving(self, name: str, tag: str, at: int) -> tuple[str, int]:
        """Open a file to write to, in its open folder ``at``, beside its place. Raises OSError.

        The same object has the same one, to continue with it, unless another sync receives it now.
        """
        path = self.path(name)
        part = part_name(f"{path.name}\0{tag}")
        self.leftovers.discard(path.parent / part)
        while (file := deletion.open_part(part, at=at)) is None:
            part = part_name(os.urandom(16).hex())
        return part, file


def write_at(file: int, data: memoryview, at: int) -> None:
    """Write, but leave holes where there are only zeros; the size must be set at the end."""
    while data:
        block = data[: len(_ZEROS)]
        if len(block) < 4096 or block != _ZEROS[: len(block)]:
            left, to = block, at
            while left:
                wrote = os.pwrite(file, left, to)
                left, to = left[wrote:], to + wrote
        data, at = data[len(block) :], at + len(block)
