"""``roost open``."""

from __future__ import annotations

import click

from roost.cli.options import json_option, name_argument
from roost.cli.output import say, write_json
from roost.errors import RoostError


@click.command("open")
@name_argument
@click.option("--no-browser", is_flag=True, help="Print the address and open nothing.")
@json_option
def command(name: str, no_browser: bool, as_json: bool) -> None:
    """Open it in the browser, and print the address.

    The address holds a secret token: who has it can work as you.

    \b
    Examples:
      roost open ndvi
      roost open ndvi --no-browser
    """
    from roost.access.browser import address_of
    from roost.cli.target import existing, locate

    state = existing(locate(name), name)
    address = address_of(state)
    if address is None:
        raise RoostError(
            f"{name} has no page to open now",
            exists=state.conditions,
            next=f"roost up {name}",
        )
    if as_json:
        write_json({"name": name, "address": address})
    else:
        click.echo(address)
    if not no_browser and not as_json:
        import webbrowser

        if not webbrowser.open(address):
            say("no browser could be started here; paste the address into one")
