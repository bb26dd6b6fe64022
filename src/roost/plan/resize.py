"""Another type of machine: stop, change, start. Pure."""

from __future__ import annotations

from roost.model.resources import Instance, Role, State, Wanted
from roost.model.steps import ChangeType, Delete, Retire, Step, Stop
from roost.plan.reasons import HAND_OVER, by_reason
from roost.plan.refusal import refuse_states
from roost.plan.up import Plan, plan_up, save_settings


def plan_resize(
    wanted: Wanted,
    have: State,
    role: Role,
    given_up: frozenset[str] = frozenset(),
    *,
    start: bool = True,
) -> Plan:
    """Return the steps to all instances of ``role`` being of the type that is wanted, and running.

    Workers hold nothing, so those of another type are replaced; the others keep their disks.
    Without ``start`` they are left stopped.
    """
    types = {g.role: (g.shape.type, *g.shape.others) for g in wanted.groups}
    other = [
        i
        for i in have.instances
        if i.role == role and i.shape.type not in types.get(role, ()) and i.state != "deleting"
    ]
    if refusal := refuse_states(have, {v.name for v in wanted.volumes}):
        return Plan(notes=(refusal.what,), refusal=refusal)
    steps: list[Step] = [*save_settings(wanted, have)]
    if not other:
        if start:
            return plan_up(wanted, have, given_up=given_up)
        billed = tuple(i.name for i in have.instances if i.role == role and i.billed)
        steps += [Stop(billed, reason="it is off, and costs as if it ran")] if billed else []
        return Plan(tuple(steps))
    if role == "worker":
        names = tuple(i.name for i in other)
        why = by_reason((i.name, _change(i, types)) for i in other)
        steps += [Retire(names, reason=HAND_OVER), Delete("instance", names, reason=why)]
        return Plan(tuple(steps), _moving(have))
    running = tuple(i.name for i in other if i.state in ("running", "failed"))
    stopped = [i for i in other if i.state == "stopped"]
    if running:
        steps.append(Stop(running, reason="the type of a machine changes only while it is stopped"))
    if stopped:
        why = by_reason((i.name, _change(i, types)) for i in stopped)
        steps.append(ChangeType(tuple((i.name, types[role][0]) for i in stopped), reason=why))
    return Plan(tuple(steps), _moving(have))


def _change(instance: Instance, types: dict[Role, tuple[str, ...]]) -> str:
    """Return for example ``"m7i.xlarge wanted, m7i.large now"``."""
    return f"{types[instance.role][0]} wanted, {instance.shape.type} now"


def _moving(have: State) -> tuple[str, ...]:
    return tuple(i.name for i in have.instances if i.state in ("pending", "stopping", "deleting"))
