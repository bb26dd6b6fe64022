"""Copy files to a machine, or from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.app import resolve
from roost.app.connect import connected, explained
from roost.errors import UsageError

if TYPE_CHECKING:
    from roost.session import Session
    from roost.ssh.command import Side

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
    way = connected(session, cloud, state, there.node)
    line = command.copy(way.config, way.alias, sides[:-1], sides[-1], sftp=scp_speaks_sftp())
    return explained(run_through(line), way, state)


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
