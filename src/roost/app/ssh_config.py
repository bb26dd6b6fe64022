"""The OpenSSH configuration of a name, and the line in the user's own that includes all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.app import connect, resolve
from roost.errors import NeedsConfirmationError, UsageError, command_line

if TYPE_CHECKING:
    from roost.session import Session


def configuration(session: Session, name: str) -> str:
    """Return the configuration of a name, with its present addresses; reads host keys of machines.

    Raises UsageError where there is nothing to connect to.
    """
    from roost.ssh.config import main_machine
    from roost.ssh.connection import write_config
    from roost.ssh.paths import places

    cloud = resolve.locate(session, name)
    if cloud.can.shell is not None:
        raise UsageError(
            f"{name} runs on your own machine; there is nothing to connect to",
            next=command_line("roost", "ssh", name),
        )
    state = resolve.usable(cloud, name)
    main = main_machine(state)
    if main is not None and main.state == "running" and main.address:
        connect.connected(session, cloud, state, None)
    else:
        write_config(state)
    return places(name).config.read_text()


def install(session: Session) -> None:
    """Add roost's line to the user's own configuration, after a yes."""
    from roost.ssh import include

    file = include.user_config()
    if include.installed():
        session.say(f"{file} has roost's line already")
        return
    refused = NeedsConfirmationError(
        f"{file} is your own file", next="roost ssh-config --install --yes"
    )
    question = f"Add one line at the top of {file}?\n  {include.line()}\n"
    session.consent.ask(question, refused)
    include.install()
    session.say(f"{file} has roost's line now: `ssh roost-NAME` reaches your machines")


def remove(session: Session) -> None:
    """Take roost's line out of the user's own configuration."""
    from roost.ssh import include

    file = include.user_config()
    if not include.installed():
        session.say(f"{file} has no line of roost's")
        return
    include.remove()
    session.say(f"{file} is without roost's line again")
