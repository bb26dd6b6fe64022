"""``roost restart``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.cli.options import json_option, name_argument, place_options
from roost.cli.output import say
from roost.cli.terminal import session as open_session
from roost.errors import NotFoundError, RoostError, command_line
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.model.resources import State, Wanted
    from roost.providers.provider import Cloud
    from roost.session import Session


@click.command("restart")
@name_argument
@click.argument("node", required=False)
@place_options
@json_option
def command(name: str, node: str | None, place: Place, as_json: bool) -> None:
    """Restart its machines (or one); disks, addresses and what is on them stay.

    On your own machine its processes are stopped and started again.

    \b
    Examples:
      roost restart scipion
      roost restart training seat-7
    """
    session = open_session(place)
    from roost.app.provisioning import boots_of, settle
    from roost.app.resolve import held, locate, recorded, wanted_for
    from roost.cli.commands.up import report
    from roost.model.steps import Reboot

    cloud = locate(session, name)
    with held(session, cloud, name):
        spec, have = recorded(cloud, name)
        wanted = wanted_for(spec)
        names = _running(have, node)
        say(f"restarting {', '.join(names)}")
        if not cloud.can.rents:
            state = _again(session, cloud, wanted, names)
        else:
            # For its cloud a machine that restarts stays up: only the machine can tell.
            before = boots_of(session, cloud, have, names)
            cloud.apply(name, Reboot(names))
            state = have
            settle(session, cloud, state, fresh=False, boots=before)
    report(cloud, wanted, state, as_json)


def _again(session: Session, cloud: Cloud, wanted: Wanted, names: tuple[str, ...]) -> State:
    """Stopped, and started."""
    from roost.app.lifecycle import bring_up, drive
    from roost.plan.up import plan_stop

    only = frozenset(names)
    drive(
        session,
        cloud,
        wanted.name,
        lambda now, _: plan_stop(now, only),
        title=f"stop {wanted.name}",
        total=len(names),
        done=lambda now: sum(i.state == "stopped" for i in now.instances),
    )
    return bring_up(session, cloud, wanted, verb="restart")


def _running(have: State, node: str | None) -> tuple[str, ...]:
    """The instances to restart. Raises NotFoundError, or RoostError where none runs."""
    there = [i.name for i in have.instances]
    if node is not None and node not in there:
        raise NotFoundError(f"{have.name} has no instance {node} (there are: {', '.join(there)})")
    names = tuple(i.name for i in have.instances if i.state == "running" and node in (None, i.name))
    if not names:
        raise RoostError(
            f"{node or have.name} is not running",
            exists=have.conditions,
            next=command_line("roost", "start", have.name),
        )
    return names
