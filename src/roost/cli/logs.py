"""``roost logs``."""

from __future__ import annotations

import click

from roost.cli.options import json_option, name_argument
from roost.cli.output import write_json


@click.command("logs")
@name_argument
@click.argument("node", required=False)
@click.option(
    "--lines",
    "-n",
    type=click.IntRange(1),
    default=40,
    show_default=True,
    help="Lines of each log.",
)
@json_option
def command(name: str, node: str | None, lines: int, as_json: bool) -> None:
    """What its instances said while they set themselves up and ran.

    \b
    Examples:
      roost logs ndvi
      roost logs ndvi worker-1 -n 200
    """
    from roost.cli.target import existing, locate
    from roost.errors import NotFoundError

    cloud = locate(name)
    state = existing(cloud, name)
    there = [i.name for i in state.instances]
    if node is not None and node not in there:
        raise NotFoundError(f"{name} has no instance {node} (there are: {', '.join(there)})")
    texts = {one: cloud.logs(name, one, lines) for one in ([node] if node else there)}
    if as_json:
        write_json(texts)
        return
    for one, text in texts.items():
        click.echo(click.style(f"=== {one}", bold=True))
        click.echo(text)
