"""What the benchmarks of AWS share: one account in a process of its own, programs that take turns.

Every program is started as its user starts it, with compiled bytecode, an empty home folder and
AWS_ENDPOINT_URL. The machines of an account in memory never answer to SSH, so `roost up` is started
without its last part, the hand-over (`UP`): it ends where it has seen that all machines run.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

BENCHMARKS = Path(__file__).resolve().parent
ROOST = str(Path(sys.executable).parent / "roost")
UP = (
    sys.executable,
    "-c",
    """\
import roost.app.provisioning
from roost.cli.main import run
roost.app.provisioning.settle = lambda *_, **__: {}
run()
""",
    "up",
)
"""`roost up`, up to the point where all machines run."""
LIMIT = 600
"""Seconds after which a program is taken to hang."""
REGION = "eu-central-1"
SPEC = """\
name = "{name}"
kind = "cluster"
cloud = "aws"
[aws]
region = "{region}"
[head]
type = "m7i.xlarge"
[workers]
count = {workers}
type = "m7i.xlarge"
"""
Command = Sequence[str]


@dataclass(frozen=True)
class Bench:
    """A running account: where it is, and where the programs' files are."""

    url: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Of every program."""
        kept = {
            key: value
            for key, value in os.environ.items()
            if key != "PYTHONDONTWRITEBYTECODE" and not key.startswith(("AWS_", "ROOST_"))
        }
        return kept | {
            "HOME": str(self.folder),
            "ROOST_HOME": str(self.folder / "roost"),
            "ROOST_MY_ADDRESS": "203.0.113.7",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
        }

    def tell(self, what: str) -> None:
        """POST /bench/<what>: reset, remember, forget."""
        urlopen(Request(f"{self.url}/bench/{what}", method="POST")).read()

    def empty(self, region: str = REGION) -> None:
        """An account with nothing in it, whose first answer does not take longer than others."""
        self.tell("reset")
        scope = f"AWS4-HMAC-SHA256 Credential=testing/20260101/{region}/ec2/aws4_request, x=y"
        form = b"Action=DescribeVpcs&Version=2016-11-15"
        urlopen(Request(self.url, data=form, headers={"Authorization": scope})).read()

    def spec(self, workers: int, region: str = REGION) -> str:
        """The file of a cluster of a head and so many workers."""
        file = self.folder / f"{region}-{workers}.toml"
        name = f"big-{region}"
        file.write_text(SPEC.format(name=name, region=region, workers=workers))
        return str(file)

    def run(self, argv: Command) -> float:
        """Seconds. Ends the benchmark where the program fails."""
        begun = time.perf_counter()
        done = subprocess.run(
            argv,
            capture_output=True,
            cwd=self.folder,
            check=False,
            env=self.environment,
            timeout=LIMIT,
        )
        seconds = time.perf_counter() - begun
        if done.returncode != 0:
            raise SystemExit(f"{argv}: {done.stderr.decode()}")
        return seconds

    def machines(self) -> int:
        """How many running instances `roost ls` finds in the account."""
        done = subprocess.run(
            [ROOST, "ls", "--json"],
            capture_output=True,
            cwd=self.folder,
            check=True,
            env=self.environment,
            timeout=LIMIT,
        )
        return sum(row["states"].get("running", 0) for row in json.loads(done.stdout))

    def log(self) -> list[dict[str, Any]]:
        """Every request so far."""
        return [json.loads(line) for line in (self.folder / "log").read_text().splitlines()]

    def clear_log(self) -> None:
        """Forget the requests so far."""
        os.truncate(self.folder / "log", 0)

    def served(self, program: str) -> float:
        """Seconds that moto has worked for a program."""
        return sum(float(one["took"]) for one in self.log() if one["program"] == program)

    def turns(
        self, commands: Mapping[str, Command], runs: int, before: Callable[[], None] | None = None
    ) -> dict[str, list[float]]:
        """Seconds of each command, by turns. The first turn warms up; the log is of the others."""
        times: dict[str, list[float]] = {name: [] for name in commands}
        for turn in range(runs + 1):
            for name, argv in commands.items():
                if before is not None:
                    before()
                seconds = self.run(argv)
                if turn:
                    times[name].append(seconds)
            if turn == 0:
                self.clear_log()
        return times


@contextmanager
def account() -> Iterator[Bench]:
    """moto in a process of its own, on a free port."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "log").touch()
        key = folder / ".ssh" / "id_ed25519"
        key.parent.mkdir(mode=0o700)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        server = subprocess.Popen(
            [sys.executable, BENCHMARKS / "aws_server.py", folder / "log"],
            stdout=subprocess.PIPE,
            text=True,
            env={k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
        )
        assert server.stdout is not None
        try:
            yield Bench(f"http://127.0.0.1:{server.stdout.readline().strip()}", folder)
        finally:
            server.terminate()
            server.wait()


def load() -> str:
    """How busy the machine is, for the record."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def row(found: Sequence[float]) -> str:
    """``median | min-max``, in seconds."""
    return f"{statistics.median(found):.2f} | {min(found):.2f}-{max(found):.2f}"


def ratio(one: Sequence[float], other: Sequence[float]) -> str:
    """Of the medians."""
    return f"{statistics.median(one) / statistics.median(other):.2f}"
