"""A small file of a machine, such as a secret, read through its connection and kept nowhere."""

from __future__ import annotations

import subprocess

from roost.access import ssh
from roost.access.connection import Connection
from roost.access.keys import no_openssh
from roost.errors import RoostError

SECONDS = 60.0


def fetched(way: Connection, path: str, *, root: bool = False) -> str:
    """The text of a file there, that its user (or only ``root``) can read. Raises RoostError."""
    words = ["sudo", "-n", "cat", path] if root else ["cat", path]
    line = ssh.batch(way.config, way.alias, words)
    try:
        done = subprocess.run(
            line,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise no_openssh("ssh") from None
    except subprocess.TimeoutExpired:
        raise RoostError(f"{way.node.name} does not answer") from None
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise RoostError(
            f"{way.node.name} has no {path.rpartition('/')[2]} yet: {last[0]}",
            next=f"roost logs {way.name} --follow   (how far its set-up is)",
        )
    return done.stdout
