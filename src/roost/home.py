"""The folders in which roost keeps what runs on this machine. Standard library only (for nodes).

``<home>`` is $ROOST_HOME or the platform's data folder (on a rented machine of a cluster,
``/var/lib/roost/cluster``); ``<home>/local/<name>/`` is one name::

    spec.json        the record: the spec that made it
    token            JupyterLab's token, mode 0600
    tls/             ca.pem cert.pem key.pem, mode 0600
    scheduler.json   where the Dask scheduler is (written by it)
    members.json     the workers that have joined (written by the scheduler)
    dashboard        the secret of the scheduler's pages, mode 0600 (written by the scheduler)
    working          touched while workers have tasks (by the scheduler)
    jupyter.json     where JupyterLab is (written by it)
    control.json     how to call roost again
    project          the folder in which the user's notebooks are
    environment      a link to the environment that its processes run from
    python/roost     a link to this package, for the nodes' PYTHONPATH
    machines/<instance>/   one folder for each instance

and ``<home>/environments/<digest>/`` is one locked Python environment, shared by all.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from roost.errors import UsageError, command_line

NAME = r"^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$"
"""A name: of a desktop, cluster or classroom, of a volume, of an image. It is part of paths."""
NAME_RULE = "small letters, digits and hyphens; begins with a letter; at most 30"
"""``NAME`` in words."""
SHOWN = 60
"""Characters of a wrong name that its error shows."""


def is_name(text: str) -> bool:
    """Return whether ``text`` is a name."""
    return re.fullmatch(NAME, text) is not None


def check_name(text: str) -> str:
    """Return ``text``. Raises UsageError unless it is a name: ``../x`` would lead elsewhere."""
    if not is_name(text):
        more = "..." if len(text) > SHOWN else ""
        near = re.sub("[_ ]", "-", text.strip().lower())
        hint = f'; did you mean "{near}"?' if is_name(near) else ""
        raise UsageError(
            f"{text[:SHOWN]!r}{more} is not a name ({NAME_RULE}){hint}",
            next="roost ls   (shows every name)",
        )
    return text


def home() -> Path:
    """Return roost's data folder on this machine; it need not exist yet."""
    chosen = os.environ.get("ROOST_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "roost"
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "roost"


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of one name, and the places in it."""

    path: Path

    @property
    def name(self) -> str:
        """The name that the folder is for."""
        return self.path.name

    @property
    def spec(self) -> Path:
        """The recorded spec (JSON)."""
        return self.path / "spec.json"

    @property
    def token(self) -> Path:
        """JupyterLab's token."""
        return self.path / "token"

    @property
    def tls(self) -> Path:
        """The folder of the certificate that all Dask processes and clients share."""
        return self.path / "tls"

    @property
    def scheduler(self) -> Path:
        """The Dask scheduler's own file."""
        return self.path / "scheduler.json"

    @property
    def members(self) -> Path:
        """The workers that have joined."""
        return self.path / "members.json"

    @property
    def dashboard(self) -> Path:
        """The secret of the scheduler's pages."""
        return self.path / "dashboard"

    @property
    def working(self) -> Path:
        """A file as old as the last look at which workers had tasks."""
        return self.path / "working"

    @property
    def range(self) -> Path:
        """The range in which the number of workers follows the work, and who said so."""
        return self.path / "range.json"

    @property
    def jupyter(self) -> Path:
        """JupyterLab's address."""
        return self.path / "jupyter.json"

    @property
    def control(self) -> Path:
        """A file with the command that calls roost again."""
        return self.path / "control.json"

    @property
    def project(self) -> Path:
        """A file with the path of the user's project folder."""
        return self.path / "project"

    @property
    def environment(self) -> Path:
        """A link to the environment that all processes of the name run from."""
        return self.path / "environment"

    @property
    def machines(self) -> Path:
        """One folder for each instance."""
        return self.path / "machines"

    def machine(self, instance: str) -> Path:
        """Return the folder of one instance. Raises UsageError where it would be another folder."""
        if "/" in instance or instance in {"", ".", ".."}:
            raise UsageError(
                f"{instance[:SHOWN]!r} is not an instance",
                next=command_line("roost", "show", self.name),
            )
        return self.machines / instance


def folder(name: str, at: Path | None = None) -> Folder:
    """Return the folder of ``name`` below ``at`` (default: ``home()``). Raises UsageError."""
    return Folder((at or home()) / "local" / check_name(name))


def names(at: Path | None = None) -> tuple[str, ...]:
    """Return every name that has a folder on this machine, sorted; ignore other folders."""
    root = (at or home()) / "local"
    if not root.is_dir():
        return ()
    return tuple(sorted(p.name for p in root.iterdir() if is_name(p.name) and p.is_dir()))


def write_private(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
