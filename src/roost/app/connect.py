"""What the commands that connect to a machine share."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.ssh.connection import Connection


def connected(session: Session, cloud: Cloud, state: State, node: str | None) -> Connection:
    """How to reach a machine (the main one, if none is named), as the cloud says it now.

    Raises NotFoundError, or RoostError where it cannot be reached.
    """
    from roost.ssh.connection import connection, host_keys_of

    found = connection(state, node, host_keys_of(cloud, session.say))
    for one in found.unproven:
        session.say(
            f"the console has not told the host key of {one} yet: "
            "the first one that it shows is taken, and kept"
        )
    return found


def ended(code: int, connection: Connection, state: State) -> NoReturn:
    """End with ssh's exit code; where it could not connect, say why and what to type next."""
    from roost.ssh.command import FAILED
    from roost.ssh.diagnose import explain

    if code == FAILED and (error := explain(connection, state)) is not None:
        raise error
    raise click.exceptions.Exit(code)


def on_terminal() -> bool:
    """Whether somebody sits at a terminal: then a remote command gets one too."""
    return sys.stdin.isatty() and sys.stdout.isatty()
