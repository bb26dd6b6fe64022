"""What the commands that connect to a machine share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

import click

from roost.cli.output import say
from roost.errors import RoostError

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.ssh.connection import Connection


def connected(cloud: Cloud, state: State, node: str | None) -> Connection:
    """How to reach a machine (the main one, if none is named), as the cloud says it now.

    Raises NotFoundError, or RoostError where it cannot be reached.
    """
    from roost.ssh.connection import connection

    found = connection(state, node, host_keys_of(cloud))
    for one in found.unproven:
        say(
            f"the console has not told the host key of {one} yet: "
            "the first one that it shows is taken, and kept"
        )
    return found


def host_keys_of(cloud: Cloud) -> Callable[[str, str], tuple[str, ...]]:
    """The cloud's own; a console that cannot be read is no reason not to connect."""

    def read(name: str, instance: str) -> tuple[str, ...]:
        try:
            keys: tuple[str, ...] = getattr(cloud, "host_keys")(name, instance)  # noqa: B009
        except RoostError as error:
            say(f"the host key of {instance} is not known: {error.what}")
            return ()
        return keys

    return read if hasattr(cloud, "host_keys") else lambda *_: ()


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
