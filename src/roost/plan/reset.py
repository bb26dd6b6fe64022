"""One machine made anew, while the others stay as they are. Pure."""

from __future__ import annotations

from dataclasses import replace

from roost.model.resources import State, Wanted
from roost.model.steps import Delete
from roost.plan.up import Plan, plan_up

GONE = "you asked for it to be made anew"
DATA = "you typed its name"


def plan_reset(
    wanted: Wanted, have: State, node: str, instance: str, volumes: tuple[str, ...] = ()
) -> Plan:
    """Return the steps to another machine of the name ``node``, made as the file says.

    ``instance`` is the id of the one that goes, ``volumes`` are those of what goes with it: what
    has another id is there already, and stays. Whatever is stopped stays stopped.
    """
    old = next((i for i in have.instances if i.id == instance), None)
    if old is not None and old.state != "deleting":
        return Plan((Delete("instance", (old.name,), reason=GONE),))
    if old is not None:
        return Plan(waiting=(old.name,))
    mine = [v for v in have.volumes if v.id in volumes]
    if moving := tuple(v.name for v in mine if v.state not in ("available", "failed")):
        return Plan(waiting=moving)
    if mine:
        return Plan((Delete("volume", tuple(v.name for v in mine), reason=DATA),))
    others = tuple(
        replace(i, state="running") if i.state == "stopped" and i.name != node else i
        for i in have.instances
    )
    return plan_up(wanted, replace(have, instances=others))
