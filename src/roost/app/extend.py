"""Let machines run for longer than their file says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from roost.errors import PartlyDoneError, RoostError, UnreachableError, UsageError, command_line

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.ssh.connection import Connection

PROGRAM = "/usr/local/sbin/roost-extend"
AT_ONCE = 16

Limits = dict[str, Any]
"""The limits that a machine reports: end, idle_not_before, budget_left_usd."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extended:
    """The new stop time of each machine; ``failed`` has the machines that did not answer, and why.

    ``again`` is the command that was typed.
    """

    name: str
    nodes: Mapping[str, Limits]
    failed: Mapping[str, RoostError] = field(default_factory=dict)
    again: str = ""

    @property
    def problem(self) -> RoostError | None:
        """The error to end with, or None."""
        if not self.failed:
            return None
        if len(self.failed) == 1 and not self.nodes:
            return next(iter(self.failed.values()))
        what = "; ".join(error.what for error in self.failed.values())
        if not self.nodes:
            return RoostError(what, next=self.again)
        first = next(iter(self.failed))
        return PartlyDoneError(what, exists=tuple(self.nodes), next=f"{self.again} {first}")


def extend(session: Session, name: str, span: str, node: str | None) -> Extended:
    """Move the end time of a name's machines by ``span``, and hold idleness off.

    Machines stop by themselves, so they are asked; workers follow their head.
    """
    from roost.app.resolve import locate, usable
    from roost.units import parse_span

    try:
        seconds = int(parse_span(span).total_seconds())
    except ValueError as error:
        raise UsageError(
            f"{span} is not {error}", next=command_line("roost", "extend", name, "2h")
        ) from None
    cloud = locate(session, name)
    state = usable(cloud, name)
    if cloud.can.shell is not None:
        raise UsageError(f"{name} is on your own machine, where nothing stops by itself")
    nodes: dict[str, Limits] = {}
    failed: dict[str, RoostError] = {}
    for machine, answer in ask_all(connections(session, cloud, state, node), state, seconds):
        if isinstance(answer, RoostError):
            failed[machine] = answer
        else:
            nodes[machine] = answer
    again = command_line("roost", "extend", name, span)
    return Extended(name=name, nodes=nodes, failed=failed, again=again)


def connections(session: Session, cloud: Cloud, state: State, node: str | None) -> list[Connection]:
    """Return the ways to the machines that decide for themselves when to stop."""
    from roost.app.connect import connected

    if any(i.name == node and i.role == "worker" for i in state.instances):
        raise UsageError(
            f"{node} follows the head",
            next=command_line("roost", "extend", state.name, "2h", "head"),
        )
    running = [i.name for i in state.instances if i.role != "worker" and i.state == "running"]
    # Where none runs, connect to the main machine anyway: its error says why.
    names: list[str | None] = [node] if node is not None else [*running] or [None]
    return [connected(session, cloud, state, name) for name in names]


def ask_all(
    ways: list[Connection], state: State, seconds: int
) -> Iterator[tuple[str, Limits | RoostError]]:
    """Ask all machines at once; yield each one's answer, or why there is none."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = pool.map(lambda way: ask(way, state, seconds), ways)
        yield from zip((way.node.name for way in ways), answers, strict=True)


def ask(way: Connection, state: State, seconds: int) -> Limits | RoostError:
    """Let one machine run for longer; return what stops it now, or why it could not be asked."""
    from roost.ssh.diagnose import explain
    from roost.ssh.query import asked

    node = way.node.name
    try:
        limits: Limits = json.loads(asked(way, ["sudo", "-n", PROGRAM, str(seconds)]))
    except UnreachableError as error:
        return explain(way, state) or error
    except RoostError as error:
        why = error.what.removeprefix(f"{node}: ")
        return RoostError(f"{node} was not extended: {why}", next=error.next)
    except ValueError:
        return RoostError(f"{node} gave an answer that roost does not understand")
    return limits
