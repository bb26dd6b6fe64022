"""A spare that takes a seat's place. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.errors import RoostError, command_line
from roost.model import nodes
from roost.model.steps import Swap
from roost.plan.up import Plan

if TYPE_CHECKING:
    from roost.model.resources import Instance, State

WHY = "a spare takes its place; nothing of either is changed"


def spare_of(have: State, seats: int) -> Instance | None:
    """Return the first spare that runs and was not set aside itself."""
    free = [
        one
        for one in have.instances
        if one.role == "seat"
        and nodes.number_of(one.name) > seats
        and one.state == "running"
        and not one.aside
    ]
    return min(free, key=lambda one: nodes.number_of(one.name), default=None)


def plan_swap(have: State, node: str, gone: str, spare: str) -> Plan:
    """Return the step by which the machine ``spare`` (an id) takes the place of ``gone``.

    Nothing where it has it. Raises RoostError where one of the two is no more.
    """
    named = {one.id: one.name for one in have.instances if one.state != "deleting"}
    if named.get(spare) == node:
        return Plan()
    if spare not in named or named.get(gone) != node:
        raise RoostError(
            f"{node} of {have.name} or its spare is not there any more",
            exists=have.conditions,
            next=command_line("roost", "show", have.name),
        )
    return Plan((Swap((node, named[spare]), reason=WHY),))
