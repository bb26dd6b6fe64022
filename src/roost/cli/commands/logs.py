"""``roost logs``."""

from __future__ import annotations

import click

from roost.cli.options import json_option, node_argument, place_options, split_node
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.errors import UsageError, command_line
from roost.model.place import Place


@click.command("logs")
@node_argument
@click.argument("node", required=False)
@click.option(
    "--lines",
    "-n",
    type=click.IntRange(1),
    default=40,
    show_default=True,
    help="Lines of each log.",
)
@click.option("--follow", "-f", is_flag=True, help="Print new lines too, until Ctrl-C.")
@place_options
@json_option
def command(
    which: str, node: str | None, lines: int, follow: bool, place: Place, as_json: bool
) -> None:
    """Print what its instances logged while they set themselves up and ran.

    On AWS it is the console's output, which is there even if the machine cannot be reached, and
    minutes behind; --follow reads the logs of one instance (the first, if none is named) by SSH.

    \b
    Examples:
      roost logs ndvi
      roost logs ndvi/worker-1 -n 200
      roost logs pixinsight --follow
    """
    from roost.app import logs

    if follow and as_json:
        raise UsageError("--follow never ends, so it prints no JSON")
    name, node = split_node(which, node)
    session = open_session(place)
    if follow:
        raise click.exceptions.Exit(logs.follow(session, name, node, lines))
    result = logs.logs(session, name, node, lines)
    if as_json:
        write_json(result.texts)
        return
    for instance, text in result.texts.items():
        click.echo(click.style(f"=== {instance}", bold=True))
        click.echo(text)
    if result.late and not any(result.texts.values()):
        say(
            f"the console has nothing yet; `{command_line('roost', 'logs', name, '--follow')}`"
            " asks the machine itself"
        )
