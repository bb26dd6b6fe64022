"""Losses: all that a plan takes away for good, for people to agree to. Pure."""

from __future__ import annotations

from roost.model.resources import STATELESS, SURPLUS, Address, State
from roost.model.steps import Delete
from roost.plan.up import Plan


def disks_lost(plan: Plan, have: State) -> tuple[str, ...]:
    """Name the machines that a plan deletes together with the disk that they boot from.

    A worker or gateway keeps nothing on its disk, and what was made twice is still there once.
    """
    gone = _deleted(plan, "instance")
    return tuple(
        i.name
        for i in have.instances
        if i.name in gone and i.role not in STATELESS and not i.name.endswith(SURPLUS)
    )


def addresses_lost(plan: Plan, have: State) -> tuple[Address, ...]:
    """Return the addresses that a plan releases: a cloud gives the same one to nobody again.

    An address that was made twice counts only if a machine is reached by it.
    """
    gone = _deleted(plan, "address")
    return tuple(
        a for a in have.addresses if a.name in gone and (a.attached or not a.name.endswith(SURPLUS))
    )


def losses(plan: Plan, have: State) -> tuple[str, ...]:
    """Describe all that a plan takes away for good, a line each."""
    lines = []
    if disks := disks_lost(plan, have):
        boots = "the disk it boots from" if len(disks) == 1 else "the disks they boot from"
        lines.append(f"{', '.join(disks)}: not in the file any more; {boots} would be deleted")
    if addresses := addresses_lost(plan, have):
        named = ", ".join(f"{a.name} ({a.ip})" if a.ip else a.name for a in addresses)
        one = len(addresses) == 1
        lines.append(
            f"{'address' if one else 'addresses'} {named}: not in the file any more;"
            f" {'it' if one else 'they'} would be released, and cannot be had back"
        )
    return tuple(lines)


def _deleted(plan: Plan, kind: str) -> frozenset[str]:
    deletes = [step for step in plan.steps if isinstance(step, Delete) and step.kind == kind]
    return frozenset(name for step in deletes for name in step.names)
