"""``roost ssh-config``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.cli.options import Name, place_options, yes_options
from roost.cli.output import say
from roost.cli.terminal import session as open_session
from roost.errors import NeedsConfirmationError, UsageError, command_line
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.session import Session


@click.command("ssh-config")
@click.argument("name", required=False, type=Name())
@click.option("--install", is_flag=True, help="Add roost's line to your ~/.ssh/config.")
@click.option("--remove", is_flag=True, help="Take roost's line out of your ~/.ssh/config.")
@place_options
@yes_options
def command(
    name: str | None, install: bool, remove: bool, place: Place, yes: bool, no_input: bool
) -> None:
    """Print the OpenSSH configuration of a name; make `ssh roost-NAME` and editors know it.

    --install adds one Include line at the top of ~/.ssh/config, once for all names. From then on
    `ssh roost-NAME`, `ssh roost-NAME-NODE`, scp, rsync and editors find your machines. Every
    command of roost that looks at a machine writes its address anew.

    \b
    Examples:
      roost ssh-config ndvi
      roost ssh-config --install
      roost ssh-config --remove
    """
    session = open_session(place, yes=yes, no_input=no_input)
    if install and remove:
        raise UsageError("--install or --remove, not both")
    if name is None and not install and not remove:
        raise UsageError("of which name?", next="roost ssh-config NAME   (or --install)")
    if install:
        _install(session)
    if remove:
        _remove()
    if name is not None:
        _print(session, name, place)


def _print(session: Session, name: str, place: Place) -> None:
    from roost.app.connect import connected
    from roost.app.resolve import existing, locate
    from roost.ssh.config import main_machine
    from roost.ssh.connection import write_config
    from roost.ssh.paths import places

    cloud = locate(session, name)
    if cloud.can.shell is not None:
        raise UsageError(
            f"{name} runs on your own machine; there is nothing to connect to",
            next=command_line("roost", "ssh", name),
        )
    state = existing(cloud, name)
    main = main_machine(state)
    if main is not None and main.state == "running" and main.address:
        connected(session, cloud, state, None)  # learns its host key
    else:
        write_config(state)
    click.echo(places(name).config.read_text(), nl=False)


def _install(session: Session) -> None:
    from roost.ssh import include

    file = include.user_config()
    if include.installed():
        say(f"{file} has roost's line already")
        return
    refused = NeedsConfirmationError(
        f"{file} is your own file", next="roost ssh-config --install --yes"
    )
    question = f"Add one line at the top of {file}?\n  {include.line()}\n"
    session.consent.ask(question, refused)
    include.install()
    say(f"{file} has roost's line now: `ssh roost-NAME` reaches your machines")


def _remove() -> None:
    from roost.ssh import include

    if not include.installed():
        say(f"{include.user_config()} has no line of roost's")
        return
    include.remove()
    say(f"{include.user_config()} is without roost's line again")
