"""``roost restart``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.cli.options import Place, json_option, name_argument, place_options
from roost.cli.output import say
from roost.errors import NotFoundError, RoostError, command_line

if TYPE_CHECKING:
    from roost.clouds.cloud import Cloud
    from roost.plan.resources import State, Wanted


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
    from roost.cli.handover import boots_of, settle
    from roost.cli.target import held, locate, recorded, wanted_for
    from roost.cli.up import report
    from roost.plan.steps import Reboot

    cloud = locate(name, place)
    with held(cloud, name):
        spec, have = recorded(cloud, name)
        wanted = wanted_for(spec)
        names = _running(have, node)
        say(f"restarting {', '.join(names)}")
        if cloud.name == "local":
            state = _again(cloud, wanted, names)
        else:
            # For its cloud a machine that restarts stays up: only the machine can tell.
            before = boots_of(cloud, have, names)
            cloud.apply(name, Reboot(names))
            state = have
            settle(cloud, state, fresh=False, boots=before)
    report(cloud, wanted, state, as_json)


def _again(cloud: Cloud, wanted: Wanted, names: tuple[str, ...]) -> State:
    """Stopped, and started."""
    from roost.cli.life import bring_up, drive
    from roost.plan.plan import plan_stop

    only = frozenset(names)
    drive(
        cloud,
        wanted.name,
        lambda now, _: plan_stop(now, only),
        title=f"stop {wanted.name}",
        total=len(names),
        done=lambda now: sum(i.state == "stopped" for i in now.instances),
    )
    return bring_up(cloud, wanted, verb="restart")


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
