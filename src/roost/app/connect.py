"""Connect to a machine."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.ssh.connection import Connection


def connected(session: Session, cloud: Cloud, state: State, node: str | None) -> Connection:
    """Return the connection to a machine (the main one, if none is named), as it is now.

    Raises NotFoundError, or RoostError where it cannot be reached.
    """
    from roost.app.met import check_met
    from roost.ssh.connection import connection, host_keys_of

    check_met(session, cloud, state, gone=False)
    way = connection(state, node, host_keys_of(cloud, session.say))
    for machine in way.unproven:
        session.say(
            f"the console of {machine} does not show its host key yet:"
            " the first key that the machine shows is trusted, and kept"
        )
    return way


def run_on(
    session: Session, cloud: Cloud, state: State, node: str | None, words: tuple[str, ...]
) -> int:
    """Run a command (a shell, without words) on an instance, with this terminal; its exit code.

    One word is a line for its shell, as with ssh; several are a program and its words.
    Raises NotFoundError, or RoostError where the instance cannot run anything now.
    """
    from roost.ssh.command import shell
    from roost.ssh.connection import chosen
    from roost.ssh.process import run_through

    if cloud.can.shell is not None:
        instance = chosen(state, node).name
        environment, folder = cloud.can.shell.surroundings(state, instance)
        own_shell = os.environ.get("SHELL", "/bin/sh")
        line = words if len(words) > 1 else (own_shell, *(("-c", *words) if words else ()))
        return run_through(line, env=environment, cwd=folder)
    way = connected(session, cloud, state, node)
    code = run_through(shell(way.config, way.alias, words, tty=on_terminal()))
    return explained(code, way, state)


def explained(code: int, connection: Connection, state: State) -> int:
    """Return the exit code of ssh or scp. Raises RoostError, with what to type, if it failed."""
    from roost.ssh.command import FAILED
    from roost.ssh.diagnose import explain

    if code == FAILED and (error := explain(connection, state)) is not None:
        raise error
    return code


def on_terminal() -> bool:
    """Return whether a person is at the terminal: then a remote command gets a terminal too."""
    return sys.stdin.isatty() and sys.stdout.isatty()
