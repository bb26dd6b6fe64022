"""``roost start``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.cli.options import json_option, name_argument
from roost.cli.output import say

if TYPE_CHECKING:
    from roost.plan.plan import Plan
    from roost.plan.resources import State


@click.command("start")
@name_argument
@json_option
def command(name: str, as_json: bool) -> None:
    """Start what was stopped, and whatever is missing of it.

    \b
    Example:
      roost start ndvi
    """
    from roost.cli.life import drive
    from roost.cli.target import connect, held, recorded, wanted_for
    from roost.cli.up import report
    from roost.plan.plan import plan_up

    cloud = connect("local")
    with held(cloud, name):
        spec, _ = recorded(cloud, name)
        wanted = wanted_for(spec)

        def planner(have: State, given_up: frozenset[str]) -> Plan:
            return plan_up(wanted, have, given_up=given_up)

        say(f"starting {name}")
        total = sum(group.count for group in wanted.groups)
        state = drive(cloud, name, planner, title=f"start {name}", total=total)
    report(cloud, wanted, state, as_json)
