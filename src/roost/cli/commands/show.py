"""``roost show``."""

from __future__ import annotations

import click

from roost.cli.options import json_option, name_argument, place_options
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.model.place import Place


@click.command("show")
@name_argument
@place_options
@json_option
def command(name: str, place: Place, as_json: bool) -> None:
    """Show one name: its instances, its address, what it costs, and what stops it.

    In a cloud, machines that this computer has reached before are asked how far their set-up is,
    which limits they keep to, and why they stopped last.

    \b
    Examples:
      roost show ndvi
      roost show ndvi --json
    """
    from roost.app.show import shown
    from roost.cli.text.show import as_data, hints, resources_text

    result = shown(open_session(place), name)
    if as_json:
        write_json(as_data(result))
        return
    if text := resources_text(result):
        click.echo(text)
    for hint in hints(result):
        say(hint)
