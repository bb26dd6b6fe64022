"""Another type of machine: stop, change, start. Pure."""

from __future__ import annotations

from roost.model.resources import Role, State, Wanted
from roost.model.steps import ChangeType, Delete, Record, Retire, Step, Stop
from roost.plan.up import Plan, plan_up


def plan_resize(
    wanted: Wanted,
    have: State,
    role: Role,
    given_up: frozenset[str] = frozenset(),
    *,
    start: bool = True,
) -> Plan:
    """The steps to all instances of ``role`` being of the type that is wanted, and running.

    Workers hold nothing, so those of another type are replaced; the others keep their disks.
    Without ``start`` they are left stopped.
    """
    types = {g.role: (g.shape.type, *g.shape.others) for g in wanted.groups}
    other = [
        i
        for i in have.instances
        if i.role == role and i.shape.type not in types.get(role, ()) and i.state != "deleting"
    ]
    steps: list[Step] = [Record(wanted.record)] if have.record != wanted.record else []
    if not other:
        return plan_up(wanted, have, given_up=given_up) if start else Plan(tuple(steps))
    if role == "worker":
        names = tuple(i.name for i in other)
        steps += [Retire(names), Delete("instance", names)]
        return Plan(tuple(steps), _moving(have))
    running = tuple(i.name for i in other if i.state in ("running", "failed"))
    stopped = tuple((i.name, types[role][0]) for i in other if i.state == "stopped")
    if running:
        steps.append(Stop(running))
    if stopped:
        steps.append(ChangeType(stopped))
    return Plan(tuple(steps), _moving(have))


def _moving(have: State) -> tuple[str, ...]:
    return tuple(i.name for i in have.instances if i.state in ("pending", "stopping", "deleting"))
