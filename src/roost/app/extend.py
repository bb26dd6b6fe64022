"""Let machines run for longer than their file says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from roost.errors import PartlyDoneError, RoostError, UnreachableError, UsageError, command_line
from roost.model.limits import Limits
from roost.model.resources import GATEWAY, STATELESS

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.ssh.connection import Connection

PROGRAM = "/usr/local/sbin/roost-extend"
AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Extended:
    """What stops each machine now; ``failed`` has the machines that did not answer, and why.

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


def extend(
    session: Session, name: str, span: str | None, node: str | None, usd: float | None = None
) -> Extended:
    """Move the end time of a name's machines by ``span``, and hold idleness off; or let them
    spend ``usd`` in all.

    Machines stop by themselves, so they are asked; workers follow their head.
    """
    from roost.app.owner import check_owner
    from roost.app.resolve import locate, usable

    words = _words(name, span, usd)
    cloud = locate(session, name)
    state = usable(cloud, name)
    check_owner(session, cloud, state)
    if cloud.can.shell is not None:
        raise UsageError(f"{name} is on your own machine, where nothing stops by itself")
    nodes: dict[str, Limits] = {}
    failed: dict[str, RoostError] = {}
    for machine, answer in ask_all(connections(session, cloud, state, node), state, words):
        if isinstance(answer, RoostError):
            failed[machine] = answer
        else:
            nodes[machine] = answer
    typed = (span,) if span is not None else words
    again = command_line("roost", "extend", name, *typed)
    return Extended(name=name, nodes=nodes, failed=failed, again=again)


def _words(name: str, span: str | None, usd: float | None) -> tuple[str, ...]:
    """Return what is asked of the program on the machines. Raises UsageError."""
    from roost.units import parse_span

    if (span is None) == (usd is None):
        raise UsageError(
            "for how much longer, or for how much money in all?",
            next=command_line("roost", "extend", name, "2h")
            + ", or: "
            + command_line("roost", "extend", name, "--budget", "AMOUNT"),
        )
    if usd is not None:
        return ("--budget", f"{usd:.2f}")
    assert span is not None
    try:
        return (str(int(parse_span(span).total_seconds())),)
    except ValueError as error:
        raise UsageError(
            f"{span} is not {error}", next=command_line("roost", "extend", name, "2h")
        ) from None


def connections(session: Session, cloud: Cloud, state: State, node: str | None) -> list[Connection]:
    """Return the ways to the machines that decide for themselves when to stop."""
    from roost.app.connect import connected

    if any(i.name == node and i.role in STATELESS for i in state.instances):
        raise UsageError(
            f"{node} follows the others" if node == GATEWAY else f"{node} follows the head",
            next=command_line("roost", "extend", state.name, "2h"),
        )
    running = [i.name for i in state.instances if i.role not in STATELESS and i.state == "running"]
    # Where none runs, connect to the main machine anyway: its error says why.
    names: list[str | None] = [node] if node is not None else [*running] or [None]
    return [connected(session, cloud, state, name) for name in names]


def ask_all(
    ways: list[Connection], state: State, words: tuple[str, ...]
) -> Iterator[tuple[str, Limits | RoostError]]:
    """Ask all machines at once; yield each one's answer, or why there is none."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = pool.map(lambda way: ask(way, state, words), ways)
        yield from zip((way.node.name for way in ways), answers, strict=True)


def ask(way: Connection, state: State, words: tuple[str, ...]) -> Limits | RoostError:
    """Let one machine go on; return what stops it now, or why it could not be asked."""
    from roost.ssh.diagnose import explain
    from roost.ssh.query import asked

    node = way.node.name
    try:
        return Limits.of(json.loads(asked(way, ["sudo", "-n", PROGRAM, *words])))
    except UnreachableError as error:
        return explain(way, state) or error
    except RoostError as error:
        why = error.what.removeprefix(f"{node}: ")
        return RoostError(f"{node} was not extended: {why}", next=error.next)
    except ValueError:
        return RoostError(f"{node} gave an answer that roost does not understand")
