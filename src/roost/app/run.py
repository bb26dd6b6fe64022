"""Run a program in a project's folder, on its cluster."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from roost.app import resolve
from roost.app.connect import run_on
from roost.errors import UsageError, command_line

if TYPE_CHECKING:
    from roost.session import Session
    from roost.spec import Spec


def run(session: Session, name: str, words: tuple[str, ...]) -> int:
    """Run the file's command with further options, or another command; its exit code.

    Raises UsageError where there is no command, or no Dask cluster to run it on.
    """
    cloud = resolve.locate(session, name)
    spec, state = resolve.recorded(cloud, name)
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


def _file_command(spec: Spec) -> tuple[str, ...]:
    if spec.kind != "cluster" or spec.run is None:
        return ()
    return tuple(spec.run.command)


def choose(given: tuple[str, ...], words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command line: the file's, with further options if the words begin with one."""
    if not words:
        return given
    return (*given, *words) if words[0].startswith("-") else words
