"""Owner, mode, attributes and times of an entry of a tree, given to just that entry.

The entry is opened below its open folder without following a link, looked at, and changed through
what was opened: whatever is put in its place meanwhile stays as it is.
"""

from __future__ import annotations

import base64
import errno
import os
import stat
from contextlib import suppress

from roost.transfer.manifest import KEPT, KINDS, Leaf


def give(leaf: Leaf, at: int, name: str) -> None:
    """Give an entry what the tree says of it; ``name`` is in the open folder ``at``.

    Raises OSError, also where it is of another kind by now.
    """
    flag = getattr(os, "O_PATH", None)
    if flag is None:
        raise OSError(errno.ENOTSUP, "owners and modes can only be given back on Linux")
    file = os.open(name, flag | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    try:
        kind = KINDS[stat.S_IFMT(os.fstat(file).st_mode)]
        if kind != leaf.kind:
            raise OSError(errno.ESTALE, f"a {kind} is in its place by now")
        _set(leaf, f"/proc/self/fd/{file}")  # leads to what is open, a link itself too
    finally:
        os.close(file)


def _set(leaf: Leaf, path: str) -> None:
    """Set all in this order: a new owner removes bits and capabilities, a mode changes an ACL."""
    os.chown(path, leaf.uid, leaf.gid)
    if leaf.kind != "link":
        os.chmod(path, leaf.mode)
    for name in _others(path, leaf):
        os.removexattr(path, name)
    for name, value in leaf.xattrs.items():
        os.setxattr(path, name, base64.b64decode(value))
    os.utime(path, ns=(leaf.mtime_ns, leaf.mtime_ns))


def _others(path: str, leaf: Leaf) -> list[str]:
    with suppress(OSError):
        return [
            one for one in os.listxattr(path) if one.startswith(KEPT) and one not in leaf.xattrs
        ]
    return []
