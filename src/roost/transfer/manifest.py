"""The tree of a folder: its files and all else that is needed to restore a volume.

Objects keep a file's content, time and executable bit. A tree is one more object beside them
(``.roost/tree-<time>.jsonl``): a line of JSON for the folder itself and for everything below it,
with mode, owner, times, links, the checksum that the file was proven with, and its SHA-256, which
no other content has; the first line
says what it is, the last one how many there are. Hard links become files of their own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from roost.transfer.context import Run
from roost.transfer.key_rules import OURS, is_part
from roost.transfer.verify import Proof
from roost.transfer.verify import Proven as ProvenFile

BEGINS = f"{OURS}tree-"
WHAT = {"roost": "tree", "version": 1}
"""The first line."""
KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
    stat.S_IFSOCK: "socket",
}
KEPT = ("user.", "system.posix_acl_", "security.capability")
"""The beginnings of the extended attributes that a user keeps."""
Tell = Callable[[str, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One entry. ``path`` is below the folder, "" for itself; ``to`` is where a link leads.

    ``sums``: the kind of checksum, and the checksum, of a file that is proven to be in S3;
    ``sha256``: of the file, which an older roost did not keep.
    """

    path: str
    kind: str
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    size: int = 0
    to: str = ""
    device: int = 0
    xattrs: Mapping[str, str] = field(default_factory=dict)
    sums: tuple[str, str] = ("", "")
    sha256: str = ""

    def line(self) -> bytes:
        """Return a line of JSON without defaults. Bytes that are not UTF-8 are surrogates in it."""
        empty = {"size": 0, "to": "", "device": 0, "xattrs": {}}
        usual = {**empty, "sums": ("", ""), "sha256": ""}
        found = {k: v for k, v in asdict(self).items() if k not in usual or v != usual[k]}
        return json.dumps(found).encode() + b"\n"


def leaf_of(found: Mapping[str, Any]) -> Leaf:
    """Return the entry of its line."""
    kind, value = found.get("sums", ("", ""))
    return Leaf(**{**found, "sums": (str(kind), str(value))})


# --- taking one ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SavedTree:
    """The result of saving a tree: its place, if it is ``whole``, and what is missing.

    ``wrong`` should be in it or in S3 and is not; ``notes`` is what cannot be kept at all.
    """

    place: str
    sha256: str
    wrong: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Tell if the folder can be restored from what is in S3."""
        return not self.wrong


def save_tree(run: Run, proof: Proof) -> SavedTree:
    """Put the tree of the folder, whose files are proven, into S3, if it is whole.

    Raises OSError, StoreError.
    """
    proven = {one.name: one for one in proof.proven}
    wrong, notes = dict(proof.wrong), list[str]()
    with tempfile.TemporaryFile() as file:
        known, count = hashlib.sha256(), 0
        for line in _lines(run, proven, wrong, notes):
            run.check()
            known.update(line)
            file.write(line)
            count += 1
        last = json.dumps({"entries": count - 1}).encode() + b"\n"
        known.update(last)
        file.write(last)
        file.flush()
        found = tuple(sorted(wrong.items()))
        if found:
            return SavedTree("", "", found, tuple(notes))
        key = f"{run.prefix}{BEGINS}{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.jsonl"
        from roost.transfer.upload import send_file

        run.patiently(lambda: send_file(run, key, file.fileno(), os.fstat(file.fileno())))
    return SavedTree(f"s3://{run.bucket.name}/{key}", known.hexdigest(), (), tuple(notes))


def _lines(
    run: Run, proven: Mapping[str, ProvenFile], wrong: dict[str, str], notes: list[str]
) -> Iterator[bytes]:
    yield json.dumps(WHAT).encode() + b"\n"

    def tell(path: str, why: str) -> None:
        wrong.setdefault(path, why)

    for leaf in leaves(os.fspath(run.folder.root), tell):
        if leaf.kind == "socket":
            notes.append(f"{leaf.path}: a socket is not kept; the program makes it again")
        elif _left_over(leaf):
            notes.append(f"{leaf.path}: half received, and left out")
        elif leaf.kind == "file":
            found = proven.get(leaf.path)
            if found is None:
                wrong.setdefault(leaf.path, _why(run, leaf))
            elif (found.size, found.mtime_ns) != (leaf.size, leaf.mtime_ns):
                wrong.setdefault(leaf.path, "it changed after it was proven")
            else:
                yield _with(leaf, found).line()
        else:
            yield leaf.line()


def _with(leaf: Leaf, found: ProvenFile) -> Leaf:
    return replace(leaf, sums=(found.kind, found.sum), sha256=found.sha256)


def _why(run: Run, leaf: Leaf) -> str:
    from roost.transfer.key_rules import key_trouble

    trouble = key_trouble(leaf.path, run.prefix)
    return trouble or "it is not proven to be in S3"


def _left_over(leaf: Leaf) -> bool:
    name = leaf.path.rpartition("/")[2]
    return leaf.kind == "file" and is_part(name)


def leaves(root: str, tell: Tell) -> Iterator[Leaf]:
    """Yield the folder and everything below it, a folder before what is in it.

    ``tell`` hears of what cannot be read. The file system's own ``lost+found`` is left out while
    nothing is in it.
    """
    yield _leaf(root, "", os.lstat(root))
    yield from _below(root, "", tell)


def _below(path: str, base: str, tell: Tell) -> Iterator[Leaf]:
    try:
        with os.scandir(path) as found:
            inside = sorted(found, key=lambda one: one.name)
    except OSError as error:
        tell(base, error.strerror or str(error))
        return
    for one in inside:
        name = base + one.name
        try:
            if name == "lost+found" and one.is_dir(follow_symlinks=False) and not _any(one.path):
                continue
            leaf = _leaf(one.path, name, one.stat(follow_symlinks=False))
        except OSError as error:
            tell(name, error.strerror or str(error))
            continue
        yield leaf
        if leaf.kind == "folder":
            yield from _below(one.path, f"{name}/", tell)


def _any(path: str) -> bool:
    with os.scandir(path) as found:
        return next(found, None) is not None


def _leaf(path: str, name: str, info: os.stat_result) -> Leaf:
    kind = KINDS[stat.S_IFMT(info.st_mode)]
    return Leaf(
        path=name,
        kind=kind,
        mode=stat.S_IMODE(info.st_mode),
        uid=info.st_uid,
        gid=info.st_gid,
        mtime_ns=info.st_mtime_ns,
        size=info.st_size if kind == "file" else 0,
        to=os.readlink(path) if kind == "link" else "",
        device=info.st_rdev if kind in {"char", "block"} else 0,
        xattrs=_xattrs(path),
    )


def _xattrs(path: str) -> dict[str, str]:
    """Return the extended attributes that a user keeps; none if the file system has none."""
    names: list[str] = []
    with suppress(OSError):
        names = [one for one in os.listxattr(path, follow_symlinks=False) if one.startswith(KEPT)]
    return {
        name: base64.b64encode(os.getxattr(path, name, follow_symlinks=False)).decode()
        for name in names
    }


# --- reading one ---------------------------------------------------------------------------------


class TreeError(Exception):
    """An object that is not a tree, or not all of one."""


def read(lines: Iterable[bytes]) -> list[Leaf]:
    """Return all entries. Raises TreeError."""
    found: list[dict[str, Any]] = []
    try:
        found = [json.loads(line) for line in lines]
        first, *entries, last = found
        if {key: first.get(key) for key in WHAT} != WHAT or last != {"entries": len(entries)}:
            raise TreeError("the object is not a tree, or only a part of one")
        made = [leaf_of(entry) for entry in entries]
    except (ValueError, TypeError, AttributeError) as error:
        raise TreeError(f"it is no tree: {error}") from None
    _check(made)
    return made


def _check(leaves: Iterable[Leaf]) -> None:
    """Raise TreeError for a tree that no folder can have had."""
    kinds = {"": "folder"}
    for leaf in leaves:
        if leaf.path and not _safe(leaf.path):
            raise TreeError(f"{leaf.path!r} leads out of the folder")
        if not _plausible(leaf):
            raise TreeError(f"{leaf.path!r}: its entry makes no sense")
        above = leaf.path.rpartition("/")[0]
        if kinds.get(above) != "folder":
            raise TreeError(f"{leaf.path!r} is below {above!r}, which is no folder")
        if leaf.path in kinds and (leaf.path or leaf.kind != "folder"):
            raise TreeError(f"{leaf.path!r} is there twice")
        kinds[leaf.path] = leaf.kind


def _plausible(leaf: Leaf) -> bool:
    numbers = (leaf.mode, leaf.uid, leaf.gid, leaf.mtime_ns, leaf.size, leaf.device)
    texts = (leaf.path, leaf.to, leaf.sha256, *leaf.xattrs, *leaf.xattrs.values())
    return (
        leaf.kind in KINDS.values()
        and all(type(one) is int for one in numbers)
        and all(isinstance(one, str) for one in texts)
        and leaf.mode == stat.S_IMODE(leaf.mode)
        and min(leaf.uid, leaf.gid, leaf.size, leaf.device) >= 0
    )


def _safe(path: str) -> bool:
    return "\0" not in path and not {"", ".", ".."} & set(path.split("/"))
