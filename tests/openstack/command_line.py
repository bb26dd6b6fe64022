"""roost's command line at a project, each command a process that can really be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from json import dumps
from pathlib import Path

from tests.aws.conftest import KEY
from tests.cli.calling import REPO, Ran
from tests.openstack.site import Project
from tests.openstack.weather import Weather

KILLED = -signal.SIGKILL
"""How a command ends that was killed."""


@contextmanager
def forking() -> Iterator[subprocess.Popen[str]]:
    """The process that forks one for each command, until the end."""
    words = [sys.executable, "-W", "ignore", "-m", "tests.openstack.command_process"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=REPO, stdin=pipe, stdout=pipe, text=True) as forker:
        assert forker.stdout is not None
        assert forker.stdout.readline() == "ready\n"
        yield forker


@dataclass(frozen=True)
class CommandLine:
    """``roost("up stars.toml --yes")`` of the project's user, in ``folder``."""

    forker: subprocess.Popen[str]
    project: Project
    folder: Path

    def __call__(self, line: str, weather: Weather | None = None) -> Ran:
        """In some weather, which ends with the command."""
        proxy, (out, err) = self.project.site.proxy, (self.folder / "out", self.folder / "err")
        out.write_text("")
        err.write_text("")
        asked = {
            "words": line.split(),
            "environment": self._environment(),
            "folder": str(self.folder),
            "out": str(out),
            "err": str(err),
        }
        proxy.begin(weather, victim=self._told(dumps(asked)))
        code = self._told("go")
        proxy.weather, proxy.victim = Weather(), None
        return Ran(code, out.read_text(), err.read_text())

    def _told(self, line: str) -> int:
        assert self.forker.stdin is not None
        assert self.forker.stdout is not None
        self.forker.stdin.write(f"{line}\n")
        self.forker.stdin.flush()
        return int(self.forker.stdout.readline())

    def _environment(self) -> dict[str, str]:
        keys = self.folder / ".ssh"
        if not keys.exists():
            keys.mkdir()
            (keys / "id_ed25519.pub").write_bytes(KEY)
        return {
            "HOME": str(self.folder),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "ROOST_MY_ADDRESS": "203.0.113.7",
            **self.project.environment(self.folder),
        }
