"""``roost logs``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.cli.options import Place, json_option, name_argument, place_options
from roost.cli.output import say, write_json
from roost.errors import command_line

if TYPE_CHECKING:
    from roost.clouds.cloud import Cloud
    from roost.plan.resources import State


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
@click.option("--follow", "-f", is_flag=True, help="Go on with what is added; Ctrl-C ends it.")
@place_options
@json_option
def command(
    name: str, node: str | None, lines: int, follow: bool, place: Place, as_json: bool
) -> None:
    """What its instances said while they set themselves up and ran.

    On AWS it is the console's output, which is there even if the machine cannot be reached, and
    minutes behind; --follow reads the logs of one instance (the first, if none is named) by SSH.

    \b
    Examples:
      roost logs ndvi
      roost logs ndvi worker-1 -n 200
      roost logs pixinsight --follow
    """
    from roost.cli.target import existing, locate
    from roost.errors import NotFoundError, UsageError

    if follow and as_json:
        raise UsageError("--follow never ends, so it prints no JSON")
    cloud = locate(name, place)
    state = existing(cloud, name)
    there = [i.name for i in state.instances]
    if node is not None and node not in there:
        raise NotFoundError(f"{name} has no instance {node} (there are: {', '.join(there)})")
    if follow:
        return _follow(cloud, state, node, lines)
    texts = {one: cloud.logs(name, one, lines) for one in ([node] if node else there)}
    if as_json:
        write_json(texts)
        return
    for one, text in texts.items():
        click.echo(click.style(f"=== {one}", bold=True))
        click.echo(text)
    if cloud.name != "local" and not any(texts.values()):
        say(
            "the console has nothing yet; "
            f"`{command_line('roost', 'logs', name, '--follow')}` asks the machine itself"
        )


def _follow(cloud: Cloud, state: State, node: str | None, lines: int) -> None:
    from roost.access import ssh
    from roost.access.child import run_through
    from roost.access.connection import chosen
    from roost.cli.reach import connected, ended
    from roost.home import folder

    if cloud.name == "local":
        logs = folder(state.name).machine(chosen(state, node).name) / "logs"
        line = ["tail", "-n", str(lines), "-F", *map(str, sorted(logs.glob("*.log")))]
        raise click.exceptions.Exit(run_through(line))
    way = connected(cloud, state, node)
    ended(run_through(ssh.shell(way.config, way.alias, ssh.follow(lines))), way, state)
