"""The command ``roost`` in processes of their own, with an account that is in another process.

This module runs in those processes, and nowhere else. One of them has imported all of roost, and
forks a process for each command (a fork takes 15 ms, the imports a second): it gets the command's
words, environment, folder and files through a socket. Beyond modules nothing is inherited.

A command is roost as it is, from its entry point to its exit code. What is put in its place, each
asked of the double (tests/aws/command_line.py) through a Unix socket:

- the last step of botocore: a call with its parameters, and its answer or error;
- the clocks: a sleep moves the double's clock, so that no wait takes real time;
- what is done by ssh: setting a machine up takes no time, and the disks are the double's.

Every change of a file is told to the double before it is made: a process can be killed there too.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.connection import Client, Connection
from typing import Any

CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink"}
"""Python's names (sys.audit) for changes of files, beside a file that is opened for writing."""
LEFT_OUT = ("roost.dask", "roost.machine", "roost.notebook", "roost.__main__")
"""What no command imports that these tests call."""
REAL_SLEEP, REAL_TIME, REAL_MONOTONIC = time.sleep, time.time, time.monotonic


# --- the one that forks --------------------------------------------------------------------------


def serve(control: socket.socket) -> None:
    """Fork a process for each command that is asked for, until nobody asks any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()  # a collection in a command would make copies of all that is shared with it
    while True:
        text, files, _, _ = socket.recv_fds(control, 65536, 4)
        if not text:
            return
        control.send(b"taken")
        if os.fork() == 0:
            control.close()
            _watch(json.loads(text), files)
        for file in files:
            os.close(file)


def _watch(asked: dict[str, Any], files: list[int]) -> None:
    """Be the parent of one command, and tell how it ended: its code, or minus its signal."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(files.pop())
        _be_command(asked, files)
    _, status = os.waitpid(pid, 0)
    os.write(files[3], str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _be_command(asked: dict[str, Any], files: list[int]) -> None:
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    sys.argv = ["roost", *asked["words"]]
    DOUBLE.link = Client(asked["double"], "AF_UNIX")
    DOUBLE.link.send((os.getpid(),))
    _tell_of_changes(asked["home"])
    from roost.cli.main import run

    run()


# --- the way to the double -----------------------------------------------------------------------


@dataclass
class Double:
    """The double, as a command sees it; ``link`` is there only in a command's process."""

    link: Connection | None = None
    alone: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, *words: Any) -> Any:
        """Return its answer, or raise its error."""
        assert self.link is not None
        with self.alone:
            self.link.send(words)
            good, answer = self.link.recv()
        if not good:
            raise answer
        return answer


DOUBLE = Double()


def _sleep(seconds: float) -> None:
    if DOUBLE.link is None:
        REAL_SLEEP(seconds)
    else:
        DOUBLE.ask("sleep", seconds)


def _time() -> float:
    return REAL_TIME() if DOUBLE.link is None else float(DOUBLE.ask("now"))


def _monotonic() -> float:
    return REAL_MONOTONIC() if DOUBLE.link is None else float(DOUBLE.ask("now"))


class _Kind(type):
    def __instancecheck__(cls, one: object) -> bool:
        return isinstance(one, datetime)


class Moved(datetime, metaclass=_Kind):
    """A datetime whose now is the double's."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return datetime.fromtimestamp(_time(), tz)


def _call(client: Any, operation: str, asked: dict[str, Any]) -> Any:
    meta = client.meta
    where = (meta.service_model.service_name, meta.region_name)
    return DOUBLE.ask("call", *where, operation, asked)


def _tell_of_changes(home: str) -> None:
    """Before each change of a file below ``home``; there is no way to be told after it."""

    def tell(event: str, words: tuple[Any, ...]) -> None:
        opened = event == "open" and isinstance(words[2], int) and words[2] & os.O_ACCMODE
        if not (opened or event in CHANGES) or not isinstance(words[0], str | os.PathLike):
            return
        path = os.path.abspath(os.fspath(words[0]))
        there_already = event == "os.mkdir" and os.path.isdir(path)
        if path.startswith(home) and not there_already:
            DOUBLE.ask("change", event, path[len(home) :])

    sys.addaudithook(tell)


# --- by ssh --------------------------------------------------------------------------------------


class Agent:
    """The volume agent, in the double; a method is asked for by its name."""

    def __getattr__(self, method: str) -> Any:
        return lambda *words: DOUBLE.ask("agent", method, *words)


@contextmanager
def _connected(*_: object) -> Iterator[Agent]:
    yield Agent()


def _ready(machines: object, instances: Any, *_: object) -> dict[str, Any]:
    from roost.provision.machines import News

    del machines
    return {i.name: News(i.name, "ready", "ready") for i in instances}


def _put_in_place() -> None:
    """All of it, once roost is imported."""
    from botocore.client import BaseClient

    import roost.app.passwords
    import roost.app.provisioning
    import roost.parking.ssh_volume_agent as volume_agent
    import roost.provision.deliver
    import roost.provision.retire
    import roost.ssh.query

    by_ssh = roost.ssh.query.asked

    def asked(way: Any, words: Any, **more: Any) -> str:
        told = DOUBLE.ask("head", list(words))
        return by_ssh(way, words, **more) if told is None else str(told)

    roost.ssh.query.asked = asked
    BaseClient._make_api_call = _call
    roost.provision.deliver.hand_over = _ready
    roost.app.passwords.keep_passwords = lambda *_: None  # type: ignore[assignment]
    roost.provision.retire.retire = lambda *_: None
    roost.app.provisioning.boots_of = lambda *_: {}
    volume_agent.connect = _connected
    for name, module in list(sys.modules.items()):
        if name.startswith("roost.") and getattr(module, "datetime", None) is datetime:
            module.datetime = Moved  # type: ignore[attr-defined]


def _import_all() -> None:
    """All that commands import late, and botocore's own modules before the clocks are moved."""
    import boto3

    boto3.session.Session()
    time.sleep, time.time, time.monotonic = _sleep, _time, _monotonic
    import roost

    for module in pkgutil.walk_packages(roost.__path__, "roost.", onerror=lambda _: None):
        if not module.name.startswith(LEFT_OUT):
            importlib.import_module(module.name)


if __name__ == "__main__":
    from tests.aws import command_process  # as a module, so that there is one of each class

    command_process._import_all()
    command_process._put_in_place()
    with socket.socket(fileno=int(sys.argv[1])) as parent:
        parent.sendall(b"ready")
        command_process.serve(parent)
