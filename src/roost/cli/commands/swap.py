"""``roost swap``."""

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


@click.command("swap")
@node_argument
@click.option("--new-password", is_flag=True, help="Where the old one cannot be read any more.")
@place_options
@json_option
@yes_options
@take_over_option
def command(
    which: str, new_password: bool, place: Place, as_json: bool, yes: bool, no_input: bool
) -> None:
    """Let a spare take the place of a broken seat: the same address and password.

    For a class behind a gateway (reach = "jump"). The broken machine is kept under the spare's
    name, with its disk and its volumes; nothing is deleted. If it is interrupted anywhere, type the
    same command again: it continues.

    \b
    Examples:
      roost swap training/seat-7
    """
    name, node = split_node(which)
    if node is None:
        raise UsageError("which seat?", next=command_line("roost", "swap", f"{name}/seat-7"))
    session = open_session(place, yes=yes, no_input=no_input)
    from roost.app.swap import swap
    from roost.cli.text.running import show_running

    show_running(swap(session, name, node, new_password=new_password), as_json)
