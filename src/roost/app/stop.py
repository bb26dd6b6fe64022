"""Stop the instances of a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session


def stop(session: Session, name: str, node: str | None = None) -> State:
    """Stop all instances of a name, or one, and delete nothing; return the state after it.

    Its record need not be readable: whatever runs can be stopped.
    """
    from roost.app.resolve import held, locate, missing
    from roost.ssh.connection import chosen

    cloud = locate(session, name)
    with held(session, cloud, name) as have:
        if have.empty:
            raise missing(name)
        session.say(f"stopping {name}/{node}" if node else f"stopping {name}")
        names = (
            tuple(i.name for i in have.instances) if node is None else (chosen(have, node).name,)
        )
        return stop_instances(session, cloud, name, names)


def stop_instances(session: Session, cloud: Cloud, name: str, instances: tuple[str, ...]) -> State:
    """Stop these instances of a name, and wait until they are off."""
    from roost.app.lifecycle import drive
    from roost.plan.up import plan_stop

    only = frozenset(instances)
    return drive(
        session,
        cloud,
        name,
        lambda have, _: plan_stop(have, only),
        title=f"stop {name}",
        total=len(instances),
        done=lambda have: sum(i.state == "stopped" for i in have.instances if i.name in only),
    )
