"""Run a program in a project's folder, on its cluster."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from roost.app import resolve
from roost.app.connect import run_on
from roost.errors import RoostError, UsageError, command_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.spec import Spec
    from roost.ssh.connection import Connection

MOST_OUTPUT = 1_000_000
"""Bytes of each seat that are shown."""


def run(session: Session, name: str, words: tuple[str, ...], node: str | None = None) -> int:
    """Run the file's command with further options, or another command; its exit code.

    On a class it is another command, on all seats at once or on ``node``.

    Raises UsageError where there is no command, or no Dask cluster to run it on.
    """
    cloud = resolve.locate(session, name)
    spec, state = resolve.recorded(cloud, name)
    if spec.kind == "classroom" and words:
        if node is not None:
            return run_on(session, cloud, state, node, words)
        _on_all(session, cloud, state, words, _print)
        return 0
    if node is not None:
        raise UsageError(
            f"{name} is no class, whose seats `roost run` knows one by one",
            next=command_line("roost", "ssh", name, node, "--", *words),
        )
    line = choose(_file_command(spec), words)
    if not line:
        raise UsageError(
            f"the file of {name} has no [run] command",
            next=command_line("roost", "run", name, "--", "python", "my_script.py"),
        )
    if spec.kind != "cluster" or spec.scheduler != "dask":
        raise UsageError(
            f"{name} is no Dask cluster, which is what `roost run` runs on",
            next=command_line("roost", "ssh", name, "--", *line),
        )
    if cloud.can.shell is None:
        from roost.recipes.dask.remote import INSIDE

        line = (*INSIDE, *line)
    sys.stderr.flush()
    return run_on(session, cloud, state, None, line)


def run_on_seats(
    session: Session, name: str, words: tuple[str, ...], tell: Callable[[str], None]
) -> None:
    """Run a command on all seats of a class at once, and tell each line with its seat before it.

    Raises UsageError where it is no class, RoostError, or PartlyDoneError, with the others.
    """
    from roost.app.seats import class_of

    instead = command_line("roost", "ssh", name, "--", *words)
    cloud, _, state = class_of(session, name, instead)
    _on_all(session, cloud, state, words, tell)


def _on_all(
    session: Session,
    cloud: Cloud,
    state: State,
    words: tuple[str, ...],
    tell: Callable[[str], None],
) -> None:
    from roost.app.seats import on_each, problem_of

    telling = threading.Lock()

    def work(way: Connection) -> None:
        code, lines = _lines(way, words)
        with telling:
            for line in lines:
                tell(f"{way.node.name}: {line}")
        if code:
            raise RoostError(f"{way.node.name}: ended with {code}")

    seats = [one.name for one in state.instances if one.role == "seat"]
    found = on_each(session, cloud, state, seats, work)
    first = command_line("roost", "run", f"{state.name}/seat-")
    problem = problem_of(found, lambda n: f"{first}{n[0]} -- {command_line(*words)}")
    if problem is not None:
        raise problem


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _lines(way: Connection, words: tuple[str, ...]) -> tuple[int, list[str]]:
    """Run a command there that reads nothing; return its exit code and what it printed, bounded."""
    from roost.ssh import command

    process = subprocess.Popen(
        command.silently(command.shell(way.config, way.alias, words)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    with process:
        text = process.stdout.read(MOST_OUTPUT)
        while process.stdout.read(1 << 20):
            pass
    lines = text.decode(errors="replace").splitlines()
    return process.returncode, [*lines, "..."] if len(text) == MOST_OUTPUT else lines


def _file_command(spec: Spec) -> tuple[str, ...]:
    if spec.kind != "cluster" or spec.run is None:
        return ()
    return tuple(spec.run.command)


def choose(given: tuple[str, ...], words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command line: the file's, with further options if the words begin with one."""
    if not words:
        return given
    return (*given, *words) if words[0].startswith("-") else words
