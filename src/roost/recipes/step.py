"""What a machine installs, as data: steps that the machine itself does, in order, once. Pure.

A step is handed over by ssh after the boot (user-data is short, and everybody can read it), and
done by ``machine/steps.py``. The packages of all steps are installed first, in one go.
Doing a step again changes nothing: files are compared, commands have run, services run.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

Owner = Literal["root", "user"]
"""``user`` is whoever cloud-init made (uid 1000), whatever the system calls him."""
HOUR = 3600


@dataclass(frozen=True, slots=True)
class File:
    """A file of the machine. ``~/`` at the front of its path is the user's home."""

    path: str
    content: str
    mode: str = "0644"
    owner: Owner = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What is too large for a text, or not one: brought by ssh, once, and known by its SHA-256.

    ``unpack``: a tar archive whose content goes below ``to``; else ``to`` is the file itself.
    """

    key: str
    sha256: str
    to: str
    unpack: bool = False
    owner: Owner = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program and its words; no shell reads them.

    It runs with ROOST_NAME, ROOST_NODE, ROOST_ROLE, ROOST_USER and ROOST_USER_HOME in its
    environment, and is ended after ``seconds``.
    """

    argv: tuple[str, ...]
    user: Owner = "root"
    env: tuple[tuple[str, str], ...] = ()
    cwd: str | None = None
    seconds: int = HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to install: "3/7 installing the desktop".

    In this order: files and uploads are put in their places, ``commands`` run (once: again only
    after the step has changed), ``services`` are enabled and started (restarted where a file of
    the step changed). ``own``: what it makes is one machine's own (a password, a key), so that an
    image of the machine does not hold it and a machine from the image does it again.
    """

    name: str
    title: str
    packages: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    uploads: tuple[Upload, ...] = ()
    commands: tuple[Command, ...] = ()
    services: tuple[str, ...] = ()
    own: bool = False

    def to_json(self) -> dict[str, Any]:
        """As the machine reads it; ``digest`` is over all that the step does."""
        found = asdict(self)
        return {**found, "digest": digest(found)}


def digest(found: Any) -> str:
    """Of anything that JSON can hold: 16 hexadecimal digits."""
    text = json.dumps(found, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
