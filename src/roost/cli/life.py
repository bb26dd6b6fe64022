"""What the life commands share: converge, and say what is left where that was cut short."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from roost.cli.output import interactive, say
from roost.cli.progress import running, watching
from roost.errors import NeedsConfirmationError, PartlyDoneError, command_line

if TYPE_CHECKING:
    from roost.clouds.cloud import Cloud
    from roost.clouds.converge import Planner
    from roost.clouds.quorum import Quorum
    from roost.plan.plan import Plan
    from roost.plan.resources import Instance, State, Wanted


def drive(
    cloud: Cloud,
    name: str,
    planner: Planner,
    *,
    title: str,
    total: int,
    done: Callable[[State], int] = running,
    quorum: Quorum | None = None,
) -> State:
    """Converge, with progress; on Ctrl-C, say what is there and how to go on."""
    from roost.clouds.converge import ALL, converge

    with _saying_what_is_left(cloud, name), watching(title, total, done) as watch:
        return converge(cloud, name, planner, watch, quorum=quorum or ALL)


def bring_up(
    cloud: Cloud,
    wanted: Wanted,
    *,
    verb: str,
    drop: frozenset[str] = frozenset(),
    as_parked: bool = False,
) -> State:
    """Drive to all of ``wanted`` running: what `up`, `start`, `scale` and `resume` come to.

    ``as_parked``: machines come back as the type that they were.

    Raises PartlyUpError where enough of it runs, and PartlyDoneError where data is on its way back
    from the archive, which nobody waits for.
    """
    from roost.clouds.quorum import quorum_of
    from roost.plan.plan import plan_up

    def planner(have: State, given_up: frozenset[str]) -> Plan:
        return plan_up(wanted, have, drop=drop, given_up=given_up, as_parked=as_parked)

    total = sum(group.count for group in wanted.groups)
    state = drive(
        cloud,
        wanted.name,
        planner,
        title=f"{verb} {wanted.name}",
        total=total,
        quorum=quorum_of(wanted),
    )
    if slow := plan_up(wanted, state, drop=drop).slow:
        raise PartlyDoneError(
            f"the data of {', '.join(slow)} is on its way back from the archive, which takes up to"
            " 72 hours; nothing is rented until then",
            next=command_line("roost", "resume", wanted.name) + "   (then)",
        )
    return state


def type_name(word: str, warning: str, refused: NeedsConfirmationError, *, no_input: bool) -> None:
    """Let the user type the name of what will be destroyed.

    Raises ``refused`` where nobody is there, NeedsConfirmationError where it is another word.
    """
    if no_input or not interactive():
        raise refused
    say(warning)
    typed = click.prompt(f"Type its name ({word}) to go on", err=True, default="")
    if typed.strip() != word:
        raise NeedsConfirmationError(f'"{typed}" is not {word}; nothing was changed')


def remember_ways(cloud: Cloud, state: State) -> None:
    """`ssh roost-NAME` and editors find the machines where they are now."""
    if cloud.name != "local":
        from roost.access.connection import write_config

        write_config(state)


def forget_ways(cloud: Cloud, name: str) -> None:
    """End the tunnel, and delete the page, that led to a machine that is no more."""
    from roost.access.browser import withdraw

    withdraw(name)
    if cloud.name != "local":
        from roost.access.tunnel import forget

        forget(name)


def ask(
    name: str, question: str, refused: NeedsConfirmationError, *, yes: bool, no_input: bool
) -> None:
    """A yes, from the option or from somebody who is there.

    Raises ``refused`` where nobody is there, NeedsConfirmationError where the answer is no.
    """
    if yes:
        return
    if no_input or not interactive():
        raise refused
    if not click.confirm(question, err=True):
        raise NeedsConfirmationError(f"{name} is as it was")


@contextmanager
def _saying_what_is_left(cloud: Cloud, name: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        state = cloud.observe(name)
        if state.empty:
            say(f"\nnothing of {name} is left running")
        else:
            say(f"\nleft as it is: {summary(state) or 'only the record'}")
            say(
                f"  `{command_line('roost', 'up', name)}` goes on,"
                f" `{command_line('roost', 'down', name)}` removes it"
            )
        raise


def summary(state: State) -> str:
    """``"head running, worker-1 pending"``."""
    return ", ".join(f"{i.name} {i.state}" for i in state.instances)


def instance_json(instance: Instance) -> dict[str, object]:
    """One instance as ``--json`` shows it."""
    return {
        "name": instance.name,
        "role": instance.role,
        "state": instance.state,
        "note": instance.note,
        "type": instance.shape.type,
        "cpus": instance.shape.cpus,
        "memory_gib": instance.shape.memory_gib,
        "address": instance.address,
        "id": instance.id,
    }
