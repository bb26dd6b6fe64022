"""A folder of one machine appears in another: ``python xbind.py SERVER PATH CLIENT PLACE``.

SERVER and CLIENT are first processes. A process of its own, because a mount namespace can be
entered only by one that has no threads. Only the standard library, so that it begins fast.
"""

from __future__ import annotations

import ctypes
import os
import sys

CLONE_NEWNS = 0x20000
OPEN_TREE, MOVE_MOUNT = 428, 429
HERE = -100
CLONE, CLOSE_ON_EXEC, FROM_EMPTY_PATH = 1, 0o2000000, 4


def main() -> None:
    """Open it there, put it here."""
    server, path, client, place = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)

    def checked(result: int, what: str) -> int:
        if result < 0:
            sys.exit(f"{what}: {os.strerror(ctypes.get_errno())}")
        return result

    spaces = [os.open(f"/proc/{one}/ns/mnt", os.O_RDONLY) for one in (server, client)]
    checked(libc.setns(spaces[0], CLONE_NEWNS), "setns")
    flags = CLONE | CLOSE_ON_EXEC
    tree = checked(libc.syscall(OPEN_TREE, HERE, path.encode(), flags), f"open_tree {path}")
    checked(libc.setns(spaces[1], CLONE_NEWNS), "setns")
    moved = libc.syscall(MOVE_MOUNT, tree, b"", HERE, place.encode(), FROM_EMPTY_PATH)
    checked(moved, f"move_mount {place}")


if __name__ == "__main__":
    main()
