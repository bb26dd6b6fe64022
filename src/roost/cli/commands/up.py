"""``roost up``."""

from __future__ import annotations

import click

from roost.cli.options import (
    file_argument,
    fresh_option,
    json_option,
    place_options,
    take_over_option,
    yes_options,
)
from roost.cli.terminal import session as open_session
from roost.errors import command_line
from roost.model.place import Place


@click.command("up")
@file_argument
@fresh_option
@place_options
@json_option
@yes_options
@take_over_option
def command(
    target: str | None,
    fresh: tuple[str, ...],
    place: Place,
    as_json: bool,
    yes: bool,
    no_input: bool,
) -> None:
    """Create what a file describes, wait until it runs, and print its address.

    Safe to repeat: it does what is missing and nothing else. If it was interrupted, the same
    command continues. It asks before it rents anything, and before it deletes a machine's disk or
    releases an address that the file does not have any more.

    \b
    Examples:
      roost up                     roost.toml of this folder
      roost up examples/ndvi.toml
      roost up ndvi                again, by name, from any folder
    """
    session = open_session(place, yes=yes, no_input=no_input)
    from roost.app.up import up
    from roost.cli.text.running import show_running

    session.say(command_line("roost", "up", target or "roost.toml"))
    show_running(up(session, target, fresh), as_json)
