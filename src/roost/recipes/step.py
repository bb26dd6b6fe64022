"""The steps and services of a machine, as data: it does them by itself, in order, once. Pure.

A rented machine gets its steps by ssh after the boot (user-data is short, and everybody can read
it), and ``machine/steps.py`` does them: the packages of all steps first, in one go. On the user's
own machine ``providers/local/machine.py`` does them. Doing a step again changes nothing: files are
compared, commands have run, services run.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Owner = Literal["root", "user"]
"""``user`` is cloud-init's user (uid 1000), whatever the system calls it."""
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
    """A binary or large file: uploaded by ssh once, and known by its SHA-256.

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
    environment, and is ended after ``seconds``. The user's own machine knows only ``argv`` and
    ``env`` of it, and waits for as long as it takes.
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
    The user's own machine runs the commands only, once for all of its instances: not where
    ``creates`` exists, a file in what they make.
    """

    name: str
    title: str
    packages: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    uploads: tuple[Upload, ...] = ()
    commands: tuple[Command, ...] = ()
    services: tuple[str, ...] = ()
    own: bool = False
    creates: str = ""

    def to_json(self) -> dict[str, Any]:
        """Convert to a rented machine's form; ``digest`` is over all that the step does."""
        found = asdict(self)
        del found["creates"]
        return {**found, "digest": digest(found)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A program that is kept running; a rented machine has it as a unit of systemd (``unit.py``).

    It is ready once ``ready_file`` was written after its start, or at once. ``nice`` lowers its
    priority, so that it does not slow the start of what others wait for.
    """

    name: str
    argv: tuple[str, ...]
    ready_file: str | None = None
    cwd: str | None = None
    nice: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """The set-up and services of an instance on the own machine; ``bin`` is first on its PATH."""

    bin: str | None = None
    setup: tuple[Step, ...] = ()
    services: tuple[Service, ...] = ()
    env: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Convert to the form that the instance's supervisor reads."""
        return asdict(self)


def digest(found: Any) -> str:
    """Return the digest of anything that JSON can hold: 16 hexadecimal digits."""
    text = json.dumps(found, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
