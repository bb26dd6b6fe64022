"""``roost logs``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.cli.options import json_option, name_argument, place_options
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.errors import command_line
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session


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
    session = open_session(place)
    from roost.app.resolve import existing, locate
    from roost.errors import NotFoundError, UsageError

    if follow and as_json:
        raise UsageError("--follow never ends, so it prints no JSON")
    cloud = locate(session, name)
    state = existing(cloud, name)
    there = [i.name for i in state.instances]
    if node is not None and node not in there:
        raise NotFoundError(f"{name} has no instance {node} (there are: {', '.join(there)})")
    if follow:
        return _follow(session, cloud, state, node, lines)
    texts = {one: cloud.logs(name, one, lines) for one in ([node] if node else there)}
    if as_json:
        write_json(texts)
        return
    for one, text in texts.items():
        click.echo(click.style(f"=== {one}", bold=True))
        click.echo(text)
    if cloud.can.shell is None and not any(texts.values()):
        say(
            f"the console has nothing yet; `{command_line('roost', 'logs', name, '--follow')}`"
            " asks the machine itself"
        )


def _follow(session: Session, cloud: Cloud, state: State, node: str | None, lines: int) -> None:
    from roost.app.connect import connected
    from roost.cli.passthrough import ended
    from roost.home import folder
    from roost.ssh import command as ssh
    from roost.ssh.connection import chosen
    from roost.ssh.process import run_through

    if cloud.can.shell is not None:
        logs = folder(state.name).machine(chosen(state, node).name) / "logs"
        line = ["tail", "-n", str(lines), "-F", *map(str, sorted(logs.glob("*.log")))]
        raise click.exceptions.Exit(run_through(line))
    way = connected(session, cloud, state, node)
    ended(run_through(ssh.shell(way.config, way.alias, ssh.follow(lines))), way, state)
