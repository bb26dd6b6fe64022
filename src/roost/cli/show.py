"""``roost show``."""

from __future__ import annotations

import click

from roost.cli.options import Place, json_option, name_argument, place_options
from roost.cli.output import say, table, write_json


@click.command("show")
@name_argument
@place_options
@json_option
def command(name: str, place: Place, as_json: bool) -> None:
    """Show one name: its instances, how they are, and its address.

    \b
    Examples:
      roost show ndvi
      roost show ndvi --json
    """
    from roost.access.browser import address_of
    from roost.cli.life import instance_json
    from roost.cli.target import existing, kind_of, locate
    from roost.units import format_size

    cloud = locate(name, place)
    state = existing(cloud, name)
    address = address_of(state)
    if as_json:
        write_json(
            {
                "name": name,
                "kind": kind_of(state),
                "cloud": cloud.name,
                "address": address,
                "instances": [instance_json(i) for i in state.instances],
            }
        )
        return
    rows = [
        (
            i.name,
            i.state,
            i.shape.type,
            str(i.shape.cpus),
            format_size(round(i.shape.memory_gib, 1)) if i.shape.memory_gib else "-",
            i.note,
        )
        for i in state.instances
    ]
    header = ("INSTANCE", "STATE", "TYPE", "THREADS", "MEMORY", "NOTE")
    click.echo(table(header, rows, frozenset({3, 4})))
    if address:
        click.echo(f"\n{address}")
    if any(i.state == "failed" for i in state.instances):
        say(f"`roost up {name}` mends what failed, `roost logs {name}` says why")
