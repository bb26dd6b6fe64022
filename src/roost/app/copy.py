"""Copy files to a machine, or from it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from roost.app import resolve
from roost.app.connect import connected, explained
from roost.errors import RoostError, UsageError, command_line

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.ssh.command import Side
    from roost.ssh.connection import Connection

SEATS = "seats"
"""In place of a node: all seats of a class."""
EXAMPLE = "roost cp results.tif NAME:/data   (or: roost cp NAME:/data/results.tif .)"


def copy(session: Session, paths: tuple[str, ...]) -> int:
    """Copy all paths but the last one to the last one, by scp; its exit code.

    Raises UsageError where not exactly one of the two sides is on a machine that is rented.
    """
    from roost.ssh import command
    from roost.ssh.process import run_through, scp_speaks_sftp

    sides = [command.side(path) for path in paths]
    there = _on_a_machine(sides)
    name = there.name or ""
    cloud = resolve.locate(session, name)
    if cloud.can.shell is not None:
        raise UsageError(f"{name} runs on your own machine: its files are yours; use cp")
    state = resolve.usable(cloud, name)
    if there.node == SEATS:
        return _to_all(session, cloud, state, sides)
    way = connected(session, cloud, state, there.node)
    line = command.copy(way.config, way.alias, sides[:-1], sides[-1], sftp=scp_speaks_sftp())
    return explained(run_through(line), way, state)


def _to_all(session: Session, cloud: Cloud, state: State, sides: list[Side]) -> int:
    """Copy to all seats of a class at once. Raises UsageError, or what became of the others."""
    from roost.app.seats import on_each, problem_of
    from roost.ssh import command
    from roost.ssh.process import scp_speaks_sftp

    *sources, target = sides
    if target.node != SEATS:
        raise UsageError(
            "what seats have comes by `roost collect`, so that none overwrites another's",
            next=command_line("roost", "collect", state.name, "FOLDER"),
        )
    sftp = scp_speaks_sftp()

    def send(way: Connection) -> None:
        line = command.copy(way.config, way.alias, sources, target, sftp=sftp)
        line[1:1] = ["-q", "-B"]
        done = subprocess.run(
            line, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise RoostError(f"{way.node.name}: {last}")
        session.say(f"{way.node.name}: copied")

    seats = [one.name for one in state.instances if one.role == "seat"]
    found = on_each(session, cloud, state, seats, send)
    paths = (one.path for one in sources)
    to = f"{state.name}/seat-"
    problem = problem_of(
        found, lambda n: command_line("roost", "cp", *paths, f"{to}{n[0]}:{target.path}")
    )
    if problem is not None:
        raise problem
    return 0


def _on_a_machine(sides: list[Side]) -> Side:
    """Return the side that is on a machine. Raises UsageError where both are, or none."""
    if len(sides) < 2:
        raise UsageError("from where to where?", next=EXAMPLE)
    *sources, target = sides
    machines = {(one.name, one.node) for one in sources}
    if len(machines) > 1:
        raise UsageError("all that is copied must come from one place", next=EXAMPLE)
    if (sources[0].name is None) == (target.name is None):
        what = "neither" if target.name is None else "both"
        raise UsageError(f"{what} of the two sides is on a machine", next=EXAMPLE)
    return target if target.name is not None else sources[0]
