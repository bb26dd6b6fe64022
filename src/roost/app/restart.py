"""Restart the instances of a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.errors import NotFoundError, RoostError, command_line
from roost.model.steps import Reboot

if TYPE_CHECKING:
    from roost.app.lifecycle import Running
    from roost.model.resources import State
    from roost.session import Session


def restart(session: Session, name: str, node: str | None) -> Running:
    """Restart all machines that run, or one; disks and addresses stay.

    Instances without a system of their own are stopped and started again.
    """
    from roost.app.lifecycle import bring_up, running
    from roost.app.provisioning import boots_of, settle
    from roost.app.resolve import fitted, held, locate, spec_in
    from roost.app.stop import stop_instances
    from roost.reconcile.loop import apply_patiently

    cloud = locate(session, name)
    with held(session, cloud, name) as have:
        spec = spec_in(cloud, have)
        wanted = fitted(cloud, spec, have)
        names = running_names(have, node)
        session.say(f"restarting {', '.join(names)}")
        if cloud.can.shell is not None:
            stop_instances(session, cloud, name, names)
            return bring_up(session, cloud, wanted, verb="restart")
        # The cloud reports a restarting machine as running: only the machine itself knows.
        before = boots_of(session, cloud, have, names)
        apply_patiently(cloud, name, Reboot(names, reason="you asked for it"))
        limits = settle(
            session, cloud, have, fresh=False, boots=before, only=frozenset(names) if node else None
        )
        return running(cloud, wanted, have, limits)


def running_names(have: State, node: str | None) -> tuple[str, ...]:
    """Return the instances to restart. Raises NotFoundError, or RoostError where none runs."""
    instances = [i for i in have.instances if node in (None, i.name)]
    if node is not None and not instances:
        known = ", ".join(i.name for i in have.instances)
        raise NotFoundError(f"{have.name} has no instance {node}. There are: {known}")
    names = tuple(i.name for i in instances if i.state == "running")
    if not names:
        raise RoostError(
            f"{node or have.name} is not running",
            exists=have.conditions,
            next=command_line("roost", "start", have.name),
        )
    return names
