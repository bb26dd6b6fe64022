"""The files of SSH connections, below roost's home.

``<home>/ssh/names/<name>/`` is one name::

    config               the generated configuration
    pinned/<instance>    its host keys, as the machine's own console told them
    accepted/<instance>  the host key that was seen first, where the console had none yet
    tunnel.json          the tunnel that is open; to a machine that is not the main one it is
                         tunnel-<node>.json

``<home>/pages/<name>.html`` is the page that hands a secret address over to a browser.

Sockets of running connections are elsewhere: their paths must be short.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from roost.errors import RoostError, command_line
from roost.home import check_name, home, write_private

LONGEST_SOCKET = 80
"""Bytes; macOS takes 104 in all, and OpenSSH adds 17 while it makes one."""


@dataclass(frozen=True, slots=True)
class Places:
    """The files of one name."""

    path: Path

    @property
    def config(self) -> Path:
        """The generated configuration."""
        return self.path / "config"

    def tunnel(self, node: str = "") -> Path:
        """Return the record of the open tunnel to a node; without one, to the main machine."""
        return self.path / (f"tunnel-{quote(node, safe='')}.json" if node else "tunnel.json")

    def tunnels(self) -> tuple[str, ...]:
        """Return the nodes to which a tunnel was opened, as ``tunnel`` takes them."""
        found = (file.stem.removeprefix("tunnel") for file in self.path.glob("tunnel*.json"))
        return tuple(sorted(one.removeprefix("-") for one in found))

    def pinned(self, instance: str) -> Path:
        """Return the proven host keys of an instance, by its id."""
        return self.path / "pinned" / quote(instance, safe="")

    def accepted(self, instance: str) -> Path:
        """Return the first host key that was seen of an instance, by its id."""
        return self.path / "accepted" / quote(instance, safe="")

    def make(self) -> None:
        """Make the folders, for the user alone."""
        for place in (self.path, self.path / "pinned", self.path / "accepted"):
            place.mkdir(parents=True, exist_ok=True, mode=0o700)

    def pin(self, instance: str, key_alias: str, keys: Sequence[str]) -> None:
        """Keep proven host keys, whole or not at all; those of before are replaced."""
        write_private(self.pinned(instance), "".join(f"{key_alias} {key}\n" for key in keys))


def all_names() -> Path:
    """Return the folder that has one folder for each name."""
    return home() / "ssh" / "names"


def places(name: str) -> Places:
    """Return the files of one name. Raises UsageError for no name."""
    return Places(all_names() / check_name(name))


def socket(*parts: object) -> Path:
    """Return the path of a connection's socket: short, in a folder that is the user's alone.

    The same ``parts`` give the same path. Raises RoostError where no such folder can be had.
    """
    digest = sha256("\0".join(map(str, (home(), *parts))).encode()).hexdigest()[:16]
    place = home() / "ssh" / "run"
    if len(os.fsencode(place / digest)) > LONGEST_SOCKET:
        place = Path(tempfile.gettempdir()) / f"roost-{os.getuid()}"
    if len(os.fsencode(place / digest)) > LONGEST_SOCKET:
        place = Path("/tmp") / f"roost-{os.getuid()}"  # noqa: S108 - checked below
    make_private(place)
    return place / digest


def page(name: str, node: str | None = None) -> Path:
    """Return the file that hands a name's address, or a node's, over to a browser."""
    at = f"{name}/{node}" if node else name
    return home() / "pages" / f"{quote(at, safe='')}.html"


def make_private(folder: Path) -> None:
    """Make a folder that is the user's alone. Raises RoostError where another user can reach it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    status = folder.lstat()
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid != os.getuid() or mode & 0o077 or folder.is_symlink():
        raise RoostError(f"{folder} is not yours alone", next=command_line("chmod", "700", folder))
