"""roost's command line against the account, each command a process that can really be killed.

The double is in the test's process: the strict EC2 over moto, its disks, its bucket, its clock, and
the disks' volume agent (tests/aws/command_process.py says what commands ask it). Where the weather
has a kill, the command's process gets SIGKILL, before or after what it asked for was done.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any

import boto3

from tests.aws.conftest import KEY, Account
from tests.aws.policies.gate import Gate
from tests.aws.strict import Killed
from tests.aws.volume_agent import DiskVolumeAgent
from tests.cli.calling import REPO, Ran

KILLED = -signal.SIGKILL
"""How a command ends that was killed."""
CHANGE = "file: "
"""Begins the name of a moment that is a change of a file on the user's computer."""
TIMEOUT = 120
"""Real seconds for one command, which takes less than one."""


@contextmanager
def forking() -> Iterator[socket.socket]:
    """The process that forks one for each command, until the end."""
    mine, its = socket.socketpair()
    words = [sys.executable, "-m", "tests.aws.command_process", str(its.fileno())]
    with subprocess.Popen(words, cwd=REPO, pass_fds=[its.fileno()], stdin=subprocess.DEVNULL):
        its.close()
        with mine:
            assert mine.recv(16) == b"ready"
            yield mine


@dataclass
class Double:
    """What commands ask: one thing at a time, whichever command asks for it.

    ``meanwhile`` is called once, when so many calls have been counted, with the process that makes
    the next; ``sleeping`` with each process that is about to sleep. Others may call meanwhile.
    ``gate`` judges the calls of EC2 by the policy that the user has. ``head`` answers what is asked
    of a machine by ssh; without it ssh itself is asked, which reaches none.
    """

    account: Account
    gate: Gate | None = None
    meanwhile: dict[int, Callable[[int], object]] = field(default_factory=dict)
    sleeping: Callable[[int], object] = lambda _: None
    head: Callable[[list[str]], str] | None = None
    alone: threading.Lock = field(default_factory=threading.Lock)
    clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Answer commands; the address of the socket. No thread of it is left afterwards."""
        with TemporaryDirectory() as folder, Listener(f"{folder}/double", "AF_UNIX") as listener:
            address = str(listener.address)
            thread = threading.Thread(target=self._accept, args=(listener,), daemon=True)
            thread.start()
            try:
                yield address
            finally:
                with Client(address, "AF_UNIX") as link:
                    link.send(None)
                thread.join()

    def _accept(self, listener: Listener) -> None:
        threads = []
        while True:
            link = listener.accept()
            hello = link.recv()
            if hello is None:
                link.close()
                break
            threads.append(threading.Thread(target=self._attend, args=(link, *hello), daemon=True))
            threads[-1].start()
        for thread in threads:
            thread.join(TIMEOUT)

    def _attend(self, link: Connection, pid: int) -> None:
        """Answer one command until it ends."""
        with link, suppress(EOFError, ConnectionResetError, BrokenPipeError):
            while True:
                kind, *words = link.recv()
                self._others_first(kind, pid)
                with self.alone:
                    try:
                        answer = (True, getattr(self, f"_{kind}")(*words))
                    except Killed:
                        os.kill(pid, signal.SIGKILL)
                        return
                    except Exception as error:
                        answer = (False, error)
                link.send(answer)

    def _others_first(self, kind: str, pid: int) -> None:
        if kind == "sleep":
            self.sleeping(pid)
        elif kind != "now":
            self.meanwhile.pop(len(self.account.ec2.calls), lambda _: None)(pid)

    def _now(self) -> float:
        return self.account.ec2.now

    def _sleep(self, seconds: float) -> None:
        self.account.sleep(seconds)

    def _call(self, service: str, region: str, operation: str, asked: Any) -> Any:
        if (service, region) not in self.clients:
            self.clients[service, region] = self._client(service, region)
        if service == "ec2" and self.gate is not None:
            self.gate.check(operation, asked)
        return self.clients[service, region]._make_api_call(operation, asked)

    def _client(self, service: str, region: str) -> Any:
        """Calls of other services are counted, and fail, as those of EC2."""
        ec2 = self.account.ec2
        if service == "ec2" and region == ec2.region:
            return self.account.client
        client = boto3.client(service, region_name=region)
        through = client._make_api_call
        client._make_api_call = lambda name, asked: ec2._call(client, through, name, asked)
        return client

    def _change(self, event: str, path: str) -> None:
        without_process = re.sub(r"\.\d+$", "", path)
        self.account.ec2.act(f"{CHANGE}{event} {without_process}", lambda: None)

    def _head(self, words: list[str]) -> str | None:
        return self.head(words) if self.head is not None else None

    def _agent(self, method: str, *words: Any) -> Any:
        return getattr(DiskVolumeAgent(self.account.ec2), method)(*words)


@dataclass(frozen=True)
class Running:
    """A command on its way."""

    ended: socket.socket
    out: IO[bytes]
    err: IO[bytes]

    def wait(self) -> Ran:
        self.ended.settimeout(TIMEOUT)
        with self.ended, self.out, self.err:
            code = int(self.ended.recv(16))
            self.out.seek(0)
            self.err.seek(0)
            return Ran(code, self.out.read().decode(), self.err.read().decode())


@dataclass(frozen=True)
class CommandLine:
    """``roost("up", "stars.toml")`` in ``folder``, which also has the homes of each computer."""

    double: Double
    address: str
    forker: socket.socket
    folder: Path

    def __call__(self, *words: str, computer: str = "own") -> Ran:
        return self.begin(*words, computer=computer).wait()

    def begin(self, *words: str, computer: str = "own") -> Running:
        home = self.folder / computer
        if not home.exists():
            (home / ".ssh").mkdir(parents=True)
            (home / ".ssh" / "id_ed25519.pub").write_bytes(KEY)
        asked = {
            "words": words,
            "environment": {
                "HOME": str(home),
                "PATH": os.environ["PATH"],
                "LANG": "C.UTF-8",
                "ROOST_MY_ADDRESS": "203.0.113.7",
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",
            },
            "folder": str(self.folder),
            "home": str(home),
            "double": self.address,
        }
        ended, its = socket.socketpair()
        out, err = TemporaryFile(), TemporaryFile()  # noqa: SIM115 - closed by wait()
        with its, open(os.devnull, "rb") as nothing:
            files = [nothing.fileno(), out.fileno(), err.fileno(), its.fileno()]
            socket.send_fds(self.forker, [json.dumps(asked).encode()], files)
            assert self.forker.recv(16) == b"taken"
        return Running(ended, out, err)


@contextmanager
def command_line(
    account: Account, forker: socket.socket, folder: Path, gate: Gate | None = None
) -> Iterator[CommandLine]:
    """The command line in a folder, as long as the double listens."""
    double = Double(account, gate)
    with double.listening() as address:
        yield CommandLine(double, address, forker, folder)
