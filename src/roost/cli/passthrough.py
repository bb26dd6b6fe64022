"""Commands that give the terminal to another program: ssh, scp."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.ssh.connection import Connection


def ended(code: int, connection: Connection, state: State) -> NoReturn:
    """End with ssh's exit code; where it could not connect, say why and what to type next."""
    from roost.ssh.command import FAILED
    from roost.ssh.diagnose import explain

    if code == FAILED and (error := explain(connection, state)) is not None:
        raise error
    raise click.exceptions.Exit(code)


def on_terminal() -> bool:
    """Return whether a person is at the terminal: then a remote command gets a terminal too."""
    return sys.stdin.isatty() and sys.stdout.isatty()
