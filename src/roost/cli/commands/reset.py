"""``roost reset``."""

from __future__ import annotations

import click

from roost.cli.options import (
    json_option,
    node_argument,
    place_options,
    split_node,
    take_over_option,
    yes_options,
)
from roost.cli.terminal import session as open_session
from roost.errors import UsageError, command_line
from roost.model.place import Place


@click.command("reset")
@node_argument
@click.option("--delete-data", is_flag=True, help="Its volumes too: you type the seat's name.")
@click.option("--new-password", is_flag=True, help="Where the old one cannot be read any more.")
@place_options
@json_option
@yes_options
@take_over_option
def command(
    which: str,
    delete_data: bool,
    new_password: bool,
    place: Place,
    as_json: bool,
    yes: bool,
    no_input: bool,
) -> None:
    """Make a seat of a class anew: the disk of the class's image, and the same name and password.

    The machine is deleted with the disk that it boots from, and made again; its volumes stay. Its
    address is the same where the file says address = "fixed". If it is interrupted anywhere, type
    the same command again: it continues.

    \b
    Examples:
      roost reset training/seat-3
      roost reset training/seat-3 --delete-data
    """
    name, node = split_node(which)
    if node is None:
        again = command_line("roost", "reset", f"{name}/seat-3")
        raise UsageError("which seat?", next=again)
    session = open_session(place, yes=yes, no_input=no_input)
    from roost.app.reset import reset
    from roost.cli.text.running import show_running

    done = reset(session, name, node, delete_data=delete_data, new_password=new_password)
    show_running(done, as_json)
