"""A bench, as tests use it: start one, run the real roost against it, look into its machines."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.bench.disks import loops_below
from tests.bench.groups import hierarchies, members
from tests.bench.machine import within
from tests.bench.needs import missing
from tests.bench.network import cables
from tests.bench.places import until

__all__ = ["Bench", "Machine", "Ran", "Roost", "at", "missing", "wait_for"]
REPO = Path(__file__).parents[2]
STARTING = 1800.0
"""The first bench of a computer builds the base system, which takes a minute or more."""
KEPT = ("PATH", "LANG", "LC_ALL", "SSL_CERT_FILE", "TMPDIR")


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its standard output, as JSON."""
        return json.loads(self.out)

    def ok(self) -> Ran:
        """Itself. Raises AssertionError with all that it said, where it failed."""
        assert self.code == 0, f"{self.code}\n{self.out}\n{self.err}"
        return self


@dataclass(frozen=True)
class Machine:
    """One machine, as EC2 and its own root see it."""

    bench: Bench
    id: str

    @property
    def described(self) -> dict[str, Any]:
        """What DescribeInstances says."""
        found = self.bench.ec2.describe_instances(InstanceIds=[self.id])["Reservations"]
        return dict(found[0]["Instances"][0])

    @property
    def state(self) -> str:
        """``"running"`` and so on."""
        return str(self.described["State"]["Name"])

    @property
    def private(self) -> str:
        """Its private address."""
        return str(self.described["PrivateIpAddress"])

    @property
    def console(self) -> str:
        """What it has written to its console at all of its boots."""
        file = self._known.get("console")
        return Path(file).read_text(errors="replace") if file else ""

    @property
    def leader(self) -> int | None:
        """Its first process, as this computer counts; None where it is off."""
        found: int | None = self._known.get("leader")
        return found

    @property
    def _known(self) -> dict[str, Any]:
        """Nothing of a machine that is not there yet, or not any more."""
        return dict(self.bench.control("machines").get(self.id, {}))

    def run(self, *argv: object, text: str | None = None, seconds: float = 120) -> Ran:
        """A program inside, as root and without ssh."""
        words = [*within(self.leader), *map(str, argv)]
        done = subprocess.run(
            words, input=text, capture_output=True, text=True, timeout=seconds, check=False
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def shell(self, script: str, seconds: float = 120) -> Ran:
        """Lines of sh inside, as root."""
        return self.run("sh", "-c", script, seconds=seconds)

    def memory_limit(self) -> int:
        """Bytes that all of its processes may have."""
        for place in hierarchies():
            for name in ("memory.limit_in_bytes", "memory.max"):
                file = place / self.bench.facts["group"] / self.id / name
                if file.exists():
                    return int(file.read_text())
        raise FileNotFoundError("this computer has no control group of memory")

    def wait(self, state: str, seconds: float = 120) -> None:
        """Until EC2 says that it is in this state."""
        until(lambda: self.state == state, seconds, f"{self.id} {state}", 0.2)

    def booted(self, seconds: float = 120) -> None:
        """Until cloud-init has done all that user-data says."""
        done = "/run/cloud-init/result.json"
        until(
            lambda: self.leader and self.run("test", "-e", done).code == 0,
            seconds,
            f"cloud-init of {self.id}",
            0.3,
        )

    def recommend(self) -> None:
        """EC2 recommends to rebalance: it may soon take this spot machine back."""
        self.bench.control("recommend", machine=self.id)

    def take_back(self, seconds: float = 120) -> None:
        """EC2 gives notice, and takes this spot machine back after that time."""
        self.bench.control("take_back", machine=self.id, seconds=seconds)

    def crash(self) -> None:
        """Pull its plug, and tell nobody."""
        self.bench.control("crash", machine=self.id)


class Bench:
    """A running bench. ``facts`` is what its server says of itself."""

    def __init__(self, facts: Mapping[str, Any], process: subprocess.Popen[str] | None) -> None:
        self.facts = facts
        self.process = process

    @classmethod
    def start(cls) -> Bench:
        """A server of its own; it ends when this process does."""
        words = ["unshare", "--mount", "--propagation", "private", "--"]
        process = subprocess.Popen(
            [*words, sys.executable, "-m", "tests.bench.server"],
            cwd=REPO,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], STARTING)
        line = process.stdout.readline() if ready else ""
        if not line:
            process.terminate()
            raise RuntimeError(f"the bench did not start ({process.wait(60)})")
        return cls(json.loads(line), process)

    @property
    def place(self) -> Path:
        """The folder of all its files."""
        return Path(self.facts["place"])

    @property
    def caller(self) -> str:
        """The CIDR of this computer as machines see it: ``[access] ssh = [...]``."""
        return str(self.facts["caller"])

    @property
    def region(self) -> str:
        """The one that has machines."""
        return str(self.facts["region"])

    @property
    def image(self) -> str:
        """The AMI of Debian 12."""
        return str(self.facts["image"])

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs that calls EC2."""
        return {
            "AWS_ENDPOINT_URL": str(self.facts["endpoint"]),
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": self.region,
            "ROOST_MY_ADDRESS": self.caller,
        }

    @cached_property
    def ec2(self) -> Any:
        """boto3's client."""
        return self.client("ec2")

    def client(self, service: str) -> Any:
        """boto3's client of any service that moto has."""
        import boto3

        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.facts["endpoint"],
            region_name=self.region,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            verify=False,
        )

    def control(self, call: str, **words: Any) -> Any:
        """What cannot be asked of EC2. Raises RuntimeError with what the bench says."""
        asked = urllib.request.Request(
            f"{self.facts['control']}/{call}", data=json.dumps(words).encode()
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(asked, timeout=STARTING) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{call}: {error.read().decode()}") from None

    def machine(self, name: str, node: str) -> Machine:
        """The machine that roost calls so: ``("stars", "desktop")``, ``("ndvi", "worker-2")``."""
        from roost.providers.aws.parse import instances

        filters = [{"Name": "tag:roost", "Values": [name]}]
        found = self.ec2.describe_instances(Filters=filters)["Reservations"]
        there = {one.name: one.id for one in instances(found)}
        assert node in there, f"{name} has no {node}: {sorted(there)}"
        return Machine(self, there[node])

    def one(self, instance: str) -> Machine:
        """The machine with that instance id."""
        return Machine(self, instance)

    def layer(
        self,
        name: str,
        packages: Sequence[str],
        below: str | None = None,
        *,
        recommends: bool = False,
    ) -> str:
        """The AMI of a Debian 12 in which these packages are installed already; built once, which
        takes as long as installing them, and kept. ``below`` is another such AMI."""
        words = {"packages": list(packages), "below": below, "recommends": recommends}
        return str(self.control("layer", name=name, **words))

    def debian(self, image: str) -> None:
        """``image = "debian-12"`` means this AMI, until the end of the test."""
        self.control("debian", image=image)

    def room(self, type_name: str, zone: str, count: int) -> None:
        """So many more of a type EC2 has in a zone; then it is full. Until the end of the test."""
        self.control("room", type=type_name, zone=zone, count=count)

    def left(self) -> dict[str, list[str]]:
        """What of machines is still on this computer, by kind."""
        found = {
            "machines": list(self.control("machines")),
            "processes": [str(pid) for pid in members(self.facts["group"])],
            "loop devices": loops_below(self.place),
            "cables": cables(f"rb{self.facts['network']}"),
            "volumes": names_in(self.place / "volumes"),
            "disks": names_in(self.place / "machines"),
            "copies": names_in(self.place / "snapshots"),
        }
        return {kind: names for kind, names in found.items() if names}

    def clear(self) -> None:
        """An empty account again."""
        self.control("clear")

    def log(self) -> str:
        """What went wrong in the bench itself."""
        file = self.place / "log"
        return file.read_text() if file.exists() else ""

    def stop(self) -> None:
        """End it, and all that belongs to it."""
        if self.process is not None:
            assert self.process.stdin is not None
            self.process.stdin.close()
            self.process.wait(timeout=300)


@dataclass(frozen=True)
class Roost:
    """The real command, in a home of its own, against a bench."""

    bench: Bench
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """All that it is told of the world."""
        return {
            **{name: os.environ[name] for name in KEPT if name in os.environ},
            **self.bench.environment,
            "HOME": str(self.home),
            "ROOST_HOME": str(self.home / "roost"),
            "NO_COLOR": "1",
        }

    def __call__(self, *words: object, text: str | None = None, seconds: float = 900) -> Ran:
        """``roost("up", file, "--yes")``, run to its end."""
        line = self.line(*words)
        done = subprocess.run(
            line,
            env=self.environment,
            cwd=self.home,
            input=text if text is not None else "",
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def line(self, *words: object) -> Sequence[str]:
        """The words of a process, for who starts it himself."""
        return [sys.executable, "-m", "roost", *map(str, words)]

    def file(self, text: str, name: str = "spec.toml") -> Path:
        """A spec, below this home."""
        path = self.home / name
        path.write_text(text)
        return path


def at(place: Path) -> Bench:
    """A bench that somebody else has started."""
    return Bench(json.loads((place / "bench.json").read_text()), None)


def names_in(folder: Path) -> list[str]:
    """What is in a folder, if it is there."""
    return sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []


def wait_for(true: Any, seconds: float, what: str) -> None:
    """Ask again and again. Raises TimeoutError."""
    until(true, seconds, what, 0.2)
