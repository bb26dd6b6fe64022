"""One thing done on all machines of a class, or on those that are named; all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from roost.app import connect, resolve
from roost.errors import NotFoundError, PartlyDoneError, RoostError, UsageError, command_line
from roost.model import nodes

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.spec.classroom import Classroom
    from roost.ssh.connection import Connection

AT_ONCE = 24
MANY = 6
"""Machines that an error names with its reason."""
T = TypeVar("T")


def class_of(session: Session, name: str, instead: str) -> tuple[Cloud, Classroom, State]:
    """Return the cloud, the file's settings and the state of a class.

    Raises UsageError where it is none; ``instead`` is what to type for another kind.
    """
    cloud = resolve.locate(session, name)
    spec, state = resolve.recorded(cloud, name)
    if spec.kind != "classroom":
        raise UsageError(f"{name} is no class", next=instead)
    return cloud, spec, state


def chosen(spec: Classroom, seats: Iterable[str]) -> list[str]:
    """Return the machines of these seats ("7", "seat-7"); of all, spares too, where none is named.

    Raises NotFoundError.
    """
    every = [f"seat-{number}" for number in range(1, spec.machines + 1)]
    named = [one if one.startswith("seat-") else f"seat-{one}" for one in seats]
    if unknown := [one for one in named if one not in every]:
        raise NotFoundError(
            f"{spec.name} has no {', '.join(unknown)}: its seats are 1 to {spec.machines}",
            next=command_line("roost", "show", spec.name),
        )
    return list(dict.fromkeys(named)) or every


def on_each(
    session: Session,
    cloud: Cloud,
    state: State,
    machines: Iterable[str],
    work: Callable[[Connection], T],
) -> dict[str, T | RoostError]:
    """Do ``work`` on all these machines at once; return what came of each, or why nothing did."""
    found: dict[str, T | RoostError] = {}
    ways: dict[str, Connection] = {}
    for node in machines:
        try:
            ways[node] = connect.connected(session, cloud, state, node)
        except RoostError as error:
            found[node] = error
            ways.pop(node, None)

    def one(node: str) -> T | RoostError:
        try:
            return work(ways[node])
        except RoostError as error:
            return error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found |= dict(zip(ways, pool.map(one, ways), strict=True))
    return dict(sorted(found.items(), key=lambda item: nodes.number_of(item[0])))


def failed(found: Mapping[str, object]) -> dict[str, RoostError]:
    """Return the machines on which nothing came of it, with the reason of each."""
    return {node: one for node, one in found.items() if isinstance(one, RoostError)}


def problem_of(found: Mapping[str, object], again: Callable[[list[str]], str]) -> RoostError | None:
    """Return the error for those that failed: with exit code 3 where others did not, else 1.

    ``again`` returns the command that does it on these seats, by their numbers.
    """
    those = failed(found)
    if not those:
        return None
    shown = [e.what if node in e.what else f"{node}: {e.what}" for node, e in those.items()]
    more = f"; and {len(shown) - MANY} more" if len(shown) > MANY else ""
    kind = RoostError if len(those) == len(found) else PartlyDoneError
    numbers = [str(nodes.number_of(node)) for node in those]
    return kind("; ".join(shown[:MANY]) + more, next=again(numbers))
