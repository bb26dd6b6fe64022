"""One question to one machine, through its connection: a short program's answer, a small file."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from roost.errors import RoostError, UnreachableError, command_line
from roost.log import debug
from roost.ssh import command
from roost.ssh.connection import Connection
from roost.ssh.keys import no_openssh

SECONDS = 60.0


def asked(
    way: Connection, words: Sequence[str], *, seconds: float = SECONDS, given: str | None = None
) -> str:
    """Return the output of a command there, unattended, with ``given`` as its input.

    Raises UnreachableError, RoostError.
    """
    line = command.batch(way.config, way.alias, words)
    debug("ssh", command_line(*line))
    try:
        done = subprocess.run(
            line,
            **({"stdin": subprocess.DEVNULL} if given is None else {"input": given}),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        raise no_openssh("ssh") from None
    except subprocess.TimeoutExpired:
        raise UnreachableError(f"{way.node.name} does not answer") from None
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    if done.returncode == command.FAILED:
        raise UnreachableError(f"{way.node.name} cannot be reached: {last}")
    if done.returncode != 0:
        raise RoostError(f"{way.node.name}: {last}")
    return done.stdout


def fetched(way: Connection, path: str, *, root: bool = False) -> str:
    """Return a file's text there, readable by its user (or only ``root``); keep nothing here.

    Raises UnreachableError, RoostError.
    """
    try:
        return asked(way, ["sudo", "-n", "cat", path] if root else ["cat", path])
    except UnreachableError:
        raise
    except RoostError as error:
        raise RoostError(
            f"no {path.rpartition('/')[2]} yet on {error.what}",
            next=command_line("roost", "logs", way.name, "--follow") + "   (how far its set-up is)",
        ) from None
