"""A machine's side of a sync without a machine: the unit is a process of this computer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from roost.transfer.job import Job, Outcome, Progress
from roost.transfer.remote.attach import Room, Whom, attend


@dataclass
class Here:
    """Rooms below a folder; ``package`` is what Python finds roost in."""

    base: Path
    package: Path | None = None
    units: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def begin(self, room: Room, whom: Whom) -> None:
        del whom
        env = {**os.environ, "ROOST_HOME": str(self.base / "home")}
        if self.package is not None:
            env["PYTHONPATH"] = str(self.package)
        line = [sys.executable, "-P", "-m", "roost.transfer", "work", str(room.path)]
        self.units.append(subprocess.Popen(line, env=env, start_new_session=True))

    def attend(self, job: Job, token: str = "") -> Iterator[dict[str, Any]]:
        found = {"job": job.to_json(), "token": token or uuid4().hex}
        yield from attend(found, self.begin, self.base / "rooms", self.base / "cache")

    def run(self, job: Job) -> Outcome:
        """To its end."""
        return end(list(self.attend(job)))

    def room(self, job: Job) -> Room:
        return Room(self.base / "rooms" / job.id)

    def end(self) -> None:
        for one in self.units:
            one.kill()
            one.wait()


def end(said: list[dict[str, Any]]) -> Outcome:
    """The outcome that was told last."""
    assert "outcome" in said[-1], said[-1]
    return Outcome.from_json(said[-1]["outcome"])


def progress(said: list[dict[str, Any]]) -> list[Progress]:
    return [Progress.from_json(one["progress"]) for one in said if one.get("progress")]
