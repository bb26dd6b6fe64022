"""The services as processes: each of them one, begun and ended together."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field

from tests.openstack.places import HERE, SERVICES
from tests.openstack.settings import HOSTS, Settings

PATIENCE = 300.0
"""Seconds for a service to come up: 10 on a quiet computer."""


class DoesNotRun(Exception):  # noqa: N818 - shown by its text only
    """A service ended, or never came up; with what it said."""


@dataclass
class Services:
    """Those of one set of settings. They end with this process, however it ends."""

    settings: Settings
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, *services: str) -> None:
        """Begin these, or all, and wait until they listen."""
        for one in services or SERVICES:
            self._launch(one)
        for one in services or SERVICES:
            self._wait_for(one)

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()
            assert process.stdin is not None
            process.stdin.close()
        self.processes.clear()

    def said(self, service: str) -> str:
        """The end of what it said: of its output, and of its log."""
        name, logs = SERVICES[service], self.settings.place / "log"
        files = [logs / f"{name}.out", logs / f"{name}.log"]
        return "\n".join(file.read_text()[-3000:] for file in files if file.is_file())

    def _launch(self, service: str) -> None:
        name, settings = SERVICES[service], self.settings
        words = [settings.installed / "bin" / "python", HERE / "inside" / "run_service.py"]
        with (settings.place / "log" / f"{name}.out").open("ab") as out:
            self.processes[service] = subprocess.Popen(
                [*words, name, str(settings.ports.port(service))],
                env=environment(settings),
                cwd=settings.place,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def _wait_for(self, service: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not listens(self.settings.ports.port(service)):
            if self.processes[service].poll() is not None or time.monotonic() > deadline:
                raise DoesNotRun(f"{service}: {self.said(service)}")
            time.sleep(0.05)


def environment(settings: Settings) -> dict[str, str]:
    """What a service is told. Nothing of this computer's own OS_* reaches it."""
    ports = settings.ports
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(settings.place),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(HERE / "inside"),
        "PYTHONWARNINGS": "ignore",
        "BENCH_CONF": str(settings.folder),
        "BENCH_STATE": str(settings.place),
        "BENCH_DRIVERS": settings.drivers,
        "BENCH_HOSTS": " ".join(HOSTS),
        "BENCH_IDENTITY": f"{ports.direct('identity')}/v3",
        "BENCH_PLACEMENT": ports.direct("placement"),
        "BENCH_METADATA": str(ports.metadata),
        "BENCH_MACHINES": str(ports.machines),
    }


def listens(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex(("127.0.0.1", port)) == 0
