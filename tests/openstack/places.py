"""Where the OpenStack of the tests keeps its things, and on which ports it listens."""

from __future__ import annotations

import os
import random
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.bench.places import CACHE as BENCH

HERE = Path(__file__).parent
SERVICES = {
    "identity": "keystone",
    "placement": "placement",
    "image": "glance",
    "network": "neutron",
    "compute": "nova",
    "block-storage": "cinder",
}
"""The type of each service, and the name of the program."""
LOWEST, HIGHEST, BLOCK = 20000, 32752, 16
"""From 32768 on are the ports of outgoing connections: one of them can take any."""


def cache() -> Path:
    """Where the bench keeps its base system, or where an ordinary user keeps such things."""
    with suppress(OSError):
        BENCH.mkdir(parents=True, exist_ok=True)
    return BENCH if os.access(BENCH, os.W_OK) else Path.home() / ".cache" / "roost-bench"


@dataclass(frozen=True, slots=True)
class Ports:
    """A block of them. Users come through the proxy's, on ``address``; the services ask each other
    directly."""

    first: int
    address: str = "127.0.0.1"

    def direct(self, service: str) -> str:
        return f"http://127.0.0.1:{self.port(service)}"

    def public(self, service: str) -> str:
        return f"http://{self.address}:{self.proxy(service)}"

    def port(self, service: str) -> int:
        return self.first + [*SERVICES].index(service)

    def proxy(self, service: str) -> int:
        return self.port(service) + 8

    @property
    def metadata(self) -> int:
        """Nova's own metadata service."""
        return self.first + 6

    @property
    def machines(self) -> int:
        """What boots machines, for the drivers."""
        return self.first + 7

    @classmethod
    def free(cls, address: str = "127.0.0.1") -> Ports:
        blocks = list(range(LOWEST, HIGHEST, BLOCK))
        random.SystemRandom().shuffle(blocks)
        first = next(first for first in blocks if all(map(_is_free, _ports(first))))
        return cls(first, address)


def _ports(first: int) -> range:
    return range(first, first + BLOCK)


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
