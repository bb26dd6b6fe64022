"""What the life commands share: reconcile, and say what is left where that was cut short."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from roost.errors import PartlyDoneError, command_line

if TYPE_CHECKING:
    from roost.model.resources import Instance, State, Wanted
    from roost.plan.up import Plan
    from roost.providers.provider import Cloud
    from roost.reconcile.loop import Planner
    from roost.reconcile.quorum import Quorum
    from roost.session import Session


def running(state: State) -> int:
    """Count the instances that are up."""
    return sum(i.state == "running" for i in state.instances)


def drive(  # noqa: PLR0913 - what to do, and how it is shown
    session: Session,
    cloud: Cloud,
    name: str,
    planner: Planner,
    *,
    title: str,
    total: int,
    done: Callable[[State], int] = running,
    quorum: Quorum | None = None,
) -> State:
    """Reconcile, with progress; on Ctrl-C, say what is there and how to go on."""
    from roost.reconcile.loop import ALL, reconcile

    with (
        _saying_what_is_left(session, cloud, name),
        session.reporter.steps(title, total, done) as watch,
    ):
        return reconcile(cloud, name, planner, watch, quorum=quorum or ALL)


def bring_up(
    session: Session,
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
    from roost.plan.up import plan_up
    from roost.reconcile.quorum import quorum_of

    def planner(have: State, given_up: frozenset[str]) -> Plan:
        return plan_up(wanted, have, drop=drop, given_up=given_up, as_parked=as_parked)

    total = sum(group.count for group in wanted.groups)
    state = drive(
        session,
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


def remember_ways(cloud: Cloud, state: State) -> None:
    """`ssh roost-NAME` and editors find the machines where they are now."""
    if cloud.can.shell is None:
        from roost.ssh.connection import write_config

        write_config(state)


def forget_ways(cloud: Cloud, name: str) -> None:
    """End the tunnel, and delete the page, that led to a machine that is no more."""
    from roost.ssh.browser import withdraw

    withdraw(name)
    if cloud.can.shell is None:
        from roost.ssh.tunnel import forget

        forget(name)


@contextmanager
def _saying_what_is_left(session: Session, cloud: Cloud, name: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        state = cloud.observe(name)
        if state.empty:
            session.say(f"\nnothing of {name} is left running")
        else:
            session.say(f"\nleft as it is: {summary(state) or 'only the record'}")
            session.say(
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
