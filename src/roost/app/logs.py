"""The logs of instances, from their set-up on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from roost.app import resolve
from roost.app.connect import connected, explained
from roost.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roost.model.resources import State
    from roost.session import Session


@dataclass(frozen=True, slots=True)
class Logs:
    """The last lines by instance. ``late``: they come from a console, which is minutes behind."""

    texts: Mapping[str, str]
    late: bool


def logs(session: Session, name: str, node: str | None, lines: int) -> Logs:
    """Return the last lines of one instance, or of all. Raises NotFoundError."""
    cloud = resolve.locate(session, name)
    state = resolve.existing(cloud, name)
    nodes = [_checked(state, node)] if node else [i.name for i in state.instances]
    texts = {one: cloud.logs(name, one, lines) for one in nodes}
    return Logs(texts, late=cloud.can.shell is None)


def follow(session: Session, name: str, node: str | None, lines: int) -> int:
    """Print what one instance (the main one) logs, until Ctrl-C; the exit code of what does it.

    Raises NotFoundError, or RoostError where it cannot be reached.
    """
    from roost.ssh import command
    from roost.ssh.connection import chosen
    from roost.ssh.process import run_through

    cloud = resolve.locate(session, name)
    state = resolve.existing(cloud, name)
    if node is not None:
        _checked(state, node)
    if cloud.can.shell is not None:
        files = cloud.can.shell.log_files(name, chosen(state, node).name)
        return run_through(["tail", "-n", str(lines), "-F", *map(str, files)])
    way = connected(session, cloud, state, node)
    code = run_through(command.shell(way.config, way.alias, command.follow(lines)))
    return explained(code, way, state)


def _checked(state: State, node: str) -> str:
    nodes = [i.name for i in state.instances]
    if node not in nodes:
        raise NotFoundError(f"{state.name} has no instance {node}. There are: {', '.join(nodes)}")
    return node
