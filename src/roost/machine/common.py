"""Files, logs and programs of the machine."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class Failed(Exception):  # noqa: N818 - shown by its text only
    """The failure of a set-up step, with its reason."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The paths of the machine; ``root`` is ``/``, except in tests."""

    root: Path = Path("/")

    def at(self, path: str) -> Path:
        """Return an absolute path of the machine."""
        return self.root / path.lstrip("/")

    @property
    def facts(self) -> dict[str, Any]:
        """What user-data says of this machine."""
        return read(self.at("/etc/roost/machine.json"))

    @property
    def status(self) -> Path:
        """The file with the progress of the set-up, for programs that wait for the machine."""
        return self.at("/var/lib/roost/status.json")

    @property
    def notice(self) -> Path:
        """The file with the notice of the machine for its user."""
        return self.at("/var/lib/roost/notice")

    def log(self, text: str) -> None:
        """Write a line to the log, and to stderr for the program that started this one.

        A disk that takes no line stops nobody: stderr of a unit is the journal.
        """
        line = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}\n"
        path = self.at("/var/log/roost.log")
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a") as file:
                file.write(line)
        with suppress(OSError):
            sys.stderr.write(line)

    def tell(self, text: str) -> None:
        """Notify everybody on the machine: terminals, the next login, and hooks."""
        self.log(text)
        with suppress(OSError):  # a full disk; terminals and hooks hear of it all the same
            write(self.notice, text + "\n")
        run(["wall", "-n", f"roost: {text}"])
        self.hooks("notice.d", text)

    def hooks(self, folder: str, *words: str, seconds: float = 30) -> None:
        """Run every program in ``/etc/roost/FOLDER`` in order; a failing one stops no other."""
        place = self.at(f"/etc/roost/{folder}")
        for hook in sorted(place.iterdir()) if place.is_dir() else ():
            if os.access(hook, os.X_OK) and hook.is_file():
                code, said = run([str(hook), *words], seconds=seconds)
                self.log(f"{folder}/{hook.name}: ended with {code} {said.strip()[-500:]}".rstrip())

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Hold the lock ``name``: one process at a time."""
        path = self.at(f"/run/roost/{name}.lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def boot(machine: Machine) -> tuple[str, float]:
    """Return the id of this boot, and the seconds since it (suspended ones too).

    Counted from the start of the first process: a container's is later than its host's.
    """
    words = machine.at("/proc/1/stat").read_text().rpartition(")")[2].split()
    began = int(words[19])
    kernel = machine.at("/proc/sys/kernel/random/boot_id").read_text().strip()
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    return f"{kernel} {began}", max(0.0, now - began / os.sysconf("SC_CLK_TCK"))


def read(path: Path) -> dict[str, Any]:
    """Read a JSON object; return an empty one where the file is missing or unreadable."""
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text())
        return found if isinstance(found, dict) else {}
    return {}


def write(path: Path, content: object, mode: int = 0o644) -> None:
    """Write the file whole or not at all; JSON, unless the content is a text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content, indent=1) + "\n"
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(mode)
        beside.rename(path)
    except OSError:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def run(argv: list[str], seconds: float = 60, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a program; return its exit code and output; 127 if it is missing, 124 if too slow."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            env={**os.environ, "LC_ALL": "C", **(env or {})},
            check=False,
        )
    except FileNotFoundError:
        return 127, f"{argv[0]}: not found"
    except subprocess.TimeoutExpired:
        return 124, f"{argv[0]}: not done after {seconds:g} s"
    except OSError as error:
        return 126, f"{argv[0]}: {error.strerror}"
    return done.returncode, done.stdout.decode(errors="replace")
