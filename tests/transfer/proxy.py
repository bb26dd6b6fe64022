"""A bad network between client and server: connections that break, and bytes that change."""

from __future__ import annotations

import random
import re
import socket
import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.serving import serving

SLOW_DOWN = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: 68\r\n"
    b"Connection: close\r\n\r\n"
    b"<Error><Code>SlowDown</Code><Message>Reduce the rate.</Message></Error>"[:68]
)
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
KINDS = (
    "reset before",
    "reset after",
    "slow down",
    "cut answer",
    "damage answer",
    "damage request",
)


@dataclass
class Faults:
    """What happens to a request, with what probability."""

    kinds: tuple[str, ...]
    rate: float
    noise: random.Random
    done: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def choose(self, kinds: tuple[str, ...]) -> str | None:
        with self.lock:
            possible = [kind for kind in kinds if kind in self.kinds]
            if not possible or self.noise.random() >= self.rate:
                return None
            kind = self.noise.choice(possible)
            self.done[kind] += 1
            return kind


class Message:
    """One request or answer as it is on the wire."""

    def __init__(self, head: bytes, body: bytes) -> None:
        self.head, self.body = head, body

    @classmethod
    def read(cls, wire: socket.socket, *, bodyless: bool = False) -> Message | None:
        head = b""
        while b"\r\n\r\n" not in head:
            data = wire.recv(65536)
            if not data:
                return None
            head += data
        head, _, body = head.partition(b"\r\n\r\n")
        said = LENGTH.search(head)
        size = int(said[1]) if said and not bodyless else 0
        while len(body) < size:
            data = wire.recv(1 << 20)
            if not data:
                return None
            body += data
        assert b"transfer-encoding" not in head.lower()
        return cls(head, body)

    def send(self, wire: socket.socket) -> None:
        wire.sendall(self.head + b"\r\n\r\n" + self.body)

    def damaged(self, noise: random.Random) -> Message:
        at = noise.randrange(len(self.body))
        flipped = bytes([self.body[at] ^ 0x20])
        return Message(self.head, self.body[:at] + flipped + self.body[at + 1 :])


class Handler(socketserver.BaseRequestHandler):
    """One connection of the client, with one to the server behind it."""

    server: Proxy

    def handle(self) -> None:
        with suppress(OSError), socket.create_connection(self.server.behind) as server:
            while (request := Message.read(self.request)) is not None:
                if not self._one(request, server):
                    return

    def _one(self, request: Message, server: socket.socket) -> bool:
        """Whether the connection lives on."""
        faults = self.server.faults
        before = faults.choose(("reset before", "slow down"))
        if before == "reset before":
            self._reset()
            return False
        if before == "slow down":
            self.request.sendall(SLOW_DOWN)
            return False
        is_data = request.head.startswith(b"PUT ") and len(request.body) > 100
        if is_data and faults.choose(("damage request",)):
            request = request.damaged(faults.noise)
        request.send(server)
        answer = Message.read(server, bodyless=request.head.startswith(b"HEAD "))
        if answer is None:
            return False
        return self._answer(request, answer)

    def _answer(self, request: Message, answer: Message) -> bool:
        faults = self.server.faults
        # What a person put there; a listing in which a bit is wrong is broken XML, or a wrong name
        # that no checksum protects.
        data = request.head.startswith(b"GET ") and b"?" not in request.head.split(b"\r\n")[0]
        kinds = ("reset after", "cut answer", "damage answer") if data else ("reset after",)
        kind = faults.choose(kinds)
        if kind == "reset after":
            self._reset()
            return False
        if kind == "cut answer":
            answer.body = answer.body[: len(answer.body) // 2]
            answer.send(self.request)
            self._reset()
            return False
        if kind == "damage answer" and answer.body:
            answer = answer.damaged(faults.noise)
        answer.send(self.request)
        return True

    def _reset(self) -> None:
        linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.request.close()


class Proxy(socketserver.ThreadingTCPServer):
    """The bad network."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, behind: str, faults: Faults) -> None:
        host, port = behind.removeprefix("http://").split(":")
        self.behind, self.faults = (host, int(port)), faults
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def bad_network(
    behind: str, rate: float, seed: int, kinds: tuple[str, ...] = KINDS
) -> Iterator[Proxy]:
    with serving(Proxy(behind, Faults(kinds, rate, random.Random(seed)))) as proxy:
        yield proxy
