"""The command ``roost`` in processes of their own, against services that are really there.

This module runs in those processes, and nowhere else. One of them has imported all of roost, and
forks a process for each command, which is alone in its process group: the proxy kills that. A
command is roost as it is, but for what is done by ssh (``all_ready``), and it waits shorter: the
machines are only said to be there.

A line of JSON asks for a command; the answers are its process group and, when it ended, its code.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import sys
import time
from typing import Any

import pytest

LEFT_OUT = (
    "roost.dask",
    "roost.machine",
    "roost.notebook",
    "roost.__main__",
    "roost.providers.aws",
)
"""What no command imports that these tests call."""
SHORTER = 4
_sleep = time.sleep


def serve() -> None:
    """Fork a process for each command that is asked for, until nobody asks any more."""
    gc.freeze()  # a collection in a command would make copies of all that is shared with it
    for line in sys.stdin:
        begin, go = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(go)
            _be_command(json.loads(line), begin)
        _answer(pid)
        sys.stdin.readline()  # who asked knows the group, and says that it may begin
        os.close(begin)
        os.close(go)
        _, status = os.waitpid(pid, 0)
        _answer(os.waitstatus_to_exitcode(status))


def _answer(word: object) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def _be_command(asked: dict[str, Any], begin: int) -> None:
    os.setsid()
    os.read(begin, 1)
    for number, (path, flags) in enumerate(
        ((os.devnull, os.O_RDONLY), (asked["out"], os.O_WRONLY), (asked["err"], os.O_WRONLY))
    ):
        file = os.open(path, flags)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    sys.argv = ["roost", *asked["words"]]
    from roost.cli.main import run

    run()


def _import_all() -> None:
    """All that commands import late; what they wait by is put in place before it."""
    time.sleep = lambda seconds: _sleep(seconds / SHORTER)
    import openstack.connection

    import roost

    del openstack
    for module in pkgutil.walk_packages(roost.__path__, "roost.", onerror=lambda _: None):
        if not module.name.startswith(LEFT_OUT):
            importlib.import_module(module.name)


if __name__ == "__main__":
    _import_all()
    from tests.cli.calling import all_ready

    all_ready(pytest.MonkeyPatch())
    _answer("ready")
    serve()
