"""Loopback ports: never fixed ones, but the same again after a restart wherever that is possible.

A notebook's kernel and a browser's tab keep the address that they were given; taking the old port
again keeps them working over a stop and start.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

from roost.home import Folder

LOOPBACK = "127.0.0.1"


def take(place: Folder, service: str) -> int:
    """Take the port that ``service`` had last time if it is still free, else any free one."""
    memory = place.path / "ports" / service
    port = _remembered(memory)
    if port is None or not free(port):
        port = any_free()
    memory.parent.mkdir(exist_ok=True)
    memory.write_text(f"{port}\n")
    return port


def free(port: int) -> bool:
    """Return whether nobody listens on a loopback port."""
    with socket.socket() as probe:
        # As servers do it, so that a port that is merely cooling down counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def any_free() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _remembered(memory: Path) -> int | None:
    with suppress(OSError, ValueError):
        port = int(memory.read_text())
        if 0 < port < 65536:
            return port
    return None
