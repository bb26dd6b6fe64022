"""The machines of a site as tests see them: by the process that has them, and from within."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.machine import within
from tests.cli.calling import REPO, Ran
from tests.openstack import seed
from tests.openstack.places import Ports

STARTING = 1800
"""Seconds: the base system may have to be installed first."""


@dataclass
class Machines:
    """The process of them; ``facts`` is what it says of itself."""

    ports: Ports
    facts: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def running(self) -> Iterator[Machines]:
        """From the network's beginning until all machines are gone."""
        words = ["unshare", "--mount", "--propagation", "private", "--", sys.executable]
        nova = f"http://127.0.0.1:{self.ports.metadata}"
        process = subprocess.Popen(
            [
                *(*words, "-m", "tests.openstack.machine_server"),
                *(str(self.ports.machines), nova, str(seed.NUMBER)),
            ],
            cwd=REPO,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            ready, _, _ = select.select([process.stdout], [], [], STARTING)
            line = process.stdout.readline() if ready else ""
            if not line:
                raise RuntimeError("the machines' process did not start")
            self.facts = json.loads(line)
            yield self
        finally:
            process.stdin.close()
            process.wait(300)
            process.stdout.close()

    @property
    def place(self) -> Path:
        """The folder of all their files."""
        return Path(self.facts["place"])

    @property
    def caller(self) -> str:
        """The CIDR of this computer as machines see it."""
        return f"{self.facts['caller']}/32"

    def ask(self, call: str, **words: object) -> Any:
        """What only the machines' process can do (``Calls`` of tests/openstack/machines.py)."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        url = f"http://127.0.0.1:{self.ports.machines}/{call}"
        asked = urllib.request.Request(url, data=json.dumps(words).encode())
        with opener.open(asked, timeout=STARTING) as answer:
            return json.loads(answer.read())

    def known(self) -> dict[str, Any]:
        """Each machine by its server's id: its address, whether it is on, its first process."""
        return dict(self.ask("machines"))

    def layer(self, packages: Iterable[str]) -> bytes:
        """The content of an image of Debian 12 in which these packages are installed already."""
        return json.dumps({"layers": self.ask("layer", packages=sorted(packages))}).encode()

    def swap(self, server: str) -> None:
        """From its next boot on its volumes have each other's device names."""
        self.ask("swap", id=server)

    def run(self, server: str, *argv: object, seconds: float = 120) -> Ran:
        """A program inside, as root and without ssh."""
        words = [*within(self.known()[server]["leader"]), *map(str, argv)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)
        return Ran(done.returncode, done.stdout, done.stderr)
