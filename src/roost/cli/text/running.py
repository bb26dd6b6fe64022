"""The text and the JSON of what runs after `up`, `start`, `resume`, `scale`, ..."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from roost.app.lifecycle import instance_json
from roost.cli.output import say, write_json
from roost.errors import command_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roost.app.lifecycle import Running
    from roost.model.limits import Limits
    from roost.model.resources import State

MOST_LINES = 6
"""Machines that are named one by one."""


def show_running(running: Running, as_json: bool) -> None:
    """Show what runs and how to get there, the address alone on stdout; then raise its problem."""
    if as_json:
        write_json(
            {
                "name": running.state.name,
                "cloud": running.cloud,
                "address": running.address,
                "instances": [instance_json(i) for i in running.state.instances],
            }
        )
    else:
        _write(running)
    if running.problem is not None:
        raise running.problem


def _write(running: Running) -> None:
    name = running.state.name
    for note in running.notes:
        say(f"note: {note}")
    say(f"{name} is up: {counted(running.state)}")
    for line in coming_stops(name, running.limits):
        say(line)
    if running.by_ssh:
        say("a shell:      " + command_line("roost", "ssh", name))
    if running.by_ssh and running.has_page:
        say("its page:     " + command_line("roost", "open", name))
    if running.address:
        say(f"open this address in a browser (or: {command_line('roost', 'open', name)}):")
        click.echo(running.address)


def coming_stops(name: str, limits: Mapping[str, Limits]) -> list[str]:
    """Return what is about to stop machines, and how they go on: a line for each, few at most."""
    lines = []
    for node, held in limits.items():
        if held.stops_in_s is None or held.stops_because is None:
            continue
        money = "budget" in held.stops_because or "spent" in held.stops_because
        more = ("--budget", held.budget_unit or "USD") if money else ("2h",)
        again = command_line("roost", "extend", name, *more)
        minutes = max(1, round(held.stops_in_s / 60))
        lines.append(
            f"{node} will stop in {minutes} minutes: {held.stops_because}; next: {again}"
            + ("   (or a larger one in the file, then: roost up FILE)" if money else "")
        )
    rest = len(lines) - MOST_LINES
    return lines if rest <= 0 else [*lines[:MOST_LINES], f"and {rest} more stop too"]


def counted(state: State) -> str:
    """Count instances by role: ``"1 head, 2 workers"``."""
    roles = Counter(i.role for i in state.instances)
    return ", ".join(f"{n} {role}{'' if n == 1 else 's'}" for role, n in roles.items())
