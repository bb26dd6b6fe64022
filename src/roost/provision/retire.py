"""The hand-over before workers are deleted: the head gets what the machines hold.

A head that is off, or cannot be reached, has nobody who could take it over: what the workers hold
is computed again, if anybody still wants it.
"""

from __future__ import annotations

from collections.abc import Callable

from roost.errors import CloudError, RoostError, UnreachableError
from roost.model.record import read_record
from roost.model.resources import State
from roost.recipes.registry import recipes
from roost.ssh.config import main_machine
from roost.ssh.connection import HostKeys, connection
from roost.ssh.query import asked

PATIENCE = 180.0
IF_THERE = 'test -x "$1" || exit 0; exec "$@"'
"""A head that is not set up yet has given no work to anybody."""


def retire(
    state: State, names: tuple[str, ...], host_keys: HostKeys, tell: Callable[[str], None]
) -> None:
    """Let workers hand over; ``tell`` gets the reason where they cannot. Raises CloudError."""
    head, words = main_machine(state), _words(state.record)
    if head is None or head.state != "running" or head.address is None or not words:
        return
    line = ["sudo", "-n", "/bin/sh", "-c", IF_THERE, "retire", *words, *names]
    try:
        asked(connection(state, head.name, host_keys), line, seconds=PATIENCE)
    except UnreachableError as error:
        tell(f"{', '.join(names)}: results are not handed over, because {error.what}")
    except RoostError as error:
        raise CloudError(
            f"not deleted: {', '.join(names)} ({error.what})", exists=state.conditions
        ) from None


def _words(record: str | None) -> tuple[str, ...]:
    """Return the program on the head, by what gives out the work."""
    recorded = read_record(record)
    if recorded.kind != "cluster":
        return ()
    try:
        given = recipes("cluster", recorded.scheduler)
    except KeyError:  # a scheduler of a later roost
        return ()
    return next(one.retire for one in given if one.retire)
