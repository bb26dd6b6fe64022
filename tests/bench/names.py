"""The resolver of the VPC: names of its machines, and everything else from this computer's own.

As EC2's, it is the third address of the VPC, and knows ``ip-10-210-0-4.REGION.compute.internal``.
"""

from __future__ import annotations

import re
import socket
import socketserver
import struct
import threading
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

HEADER = struct.Struct(">6H")
A, PTR, IN = 1, 12, 1
ANSWER, AUTHORITATIVE, RECURSION, NO_SUCH_NAME = 0x8000, 0x0400, 0x0080, 3
LIFETIME = 60
NAME = re.compile(r"(?:ip|ec2)-(\d+)-(\d+)-(\d+)-(\d+)\..*compute.*")


def question(query: bytes) -> tuple[str, int, int]:
    """The name that is asked for, the kind of record, and where the question ends. Pure.

    Raises ValueError where it is none.
    """
    labels, place = [], HEADER.size
    try:
        while length := query[place]:
            labels.append(query[place + 1 : place + 1 + length].decode("ascii").lower())
            place += 1 + length
        (kind,) = struct.unpack_from(">H", query, place + 1)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise ValueError("no question") from error
    return ".".join(labels), kind, place + 5


def answer(query: bytes, found: bytes | None, kind: int, end: int, *, known: bool) -> bytes:
    """The message with one record, with none, or with "no such name". Pure."""
    (number, flags, *_) = HEADER.unpack_from(query)
    flags = ANSWER | AUTHORITATIVE | RECURSION | (flags & 0x0100) | (0 if known else NO_SUCH_NAME)
    head = HEADER.pack(number, flags, 1, 1 if found is not None else 0, 0, 0)
    asked = query[HEADER.size : end]
    if found is None:
        return head + asked
    record = struct.pack(">HHHIH", 0xC000 | HEADER.size, kind, IN, LIFETIME, len(found)) + found
    return head + asked + record


def packed(name: str) -> bytes:
    """A name as a record has it. Pure."""
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


class Resolver:
    """``known`` gives the private address behind an address of the VPC, if a machine has it."""

    def __init__(self, address: str, region: str, known: Callable[[str], str | None]) -> None:
        self.region = region
        self.known = known
        self.servers = (_Udp((address, 53), _Datagram), _Tcp((address, 53), _Stream))
        for server in self.servers:
            server.resolver = self
            threading.Thread(target=server.serve_forever, args=(0.2,), daemon=True).start()

    def close(self) -> None:
        """No answers any more."""
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def resolve(self, query: bytes, ask: Callable[[bytes], bytes]) -> bytes:
        """Of this VPC, or from whom this computer asks."""
        name, kind, end = question(query)
        match = NAME.fullmatch(name)
        if match is not None:
            private = self.known(".".join(match.groups()))
            found = IPv4Address(private).packed if private and kind == A else None
            return answer(query, found, A, end, known=private is not None)
        if name.endswith(".in-addr.arpa") and kind == PTR:
            address = ".".join(reversed(name.removesuffix(".in-addr.arpa").split(".")))
            if self.known(address) == address:
                text = f"ip-{address.replace('.', '-')}.{self.region}.compute.internal"
                return answer(query, packed(text), PTR, end, known=True)
        return ask(query)


def upstream() -> str:
    """Whom this computer asks."""
    for line in Path("/etc/resolv.conf").read_text().splitlines():
        words = line.split()
        if words[:1] == ["nameserver"] and ":" not in words[1]:
            return words[1]
    return "127.0.0.1"


class _Udp(socketserver.ThreadingUDPServer):
    resolver: Resolver
    daemon_threads = True
    allow_reuse_address = True


class _Tcp(socketserver.ThreadingTCPServer):
    resolver: Resolver
    daemon_threads = True
    allow_reuse_address = True


class _Datagram(socketserver.BaseRequestHandler):
    server: _Udp

    def handle(self) -> None:
        query, reply = self.request
        try:
            reply.sendto(self.server.resolver.resolve(query, _by_udp), self.client_address)
        except (OSError, ValueError):
            return  # the client asks again


class _Stream(socketserver.StreamRequestHandler):
    server: _Tcp

    def handle(self) -> None:
        try:
            (length,) = struct.unpack(">H", self.rfile.read(2))
            found = self.server.resolver.resolve(self.rfile.read(length), _by_tcp)
            self.wfile.write(struct.pack(">H", len(found)) + found)
        except (OSError, ValueError, struct.error):
            return


def _by_udp(query: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.settimeout(5)
        asked.sendto(query, (upstream(), 53))
        return asked.recv(65535)


def _by_tcp(query: bytes) -> bytes:
    with socket.create_connection((upstream(), 53), timeout=5) as asked:
        asked.sendall(struct.pack(">H", len(query)) + query)
        file = asked.makefile("rb")
        (length,) = struct.unpack(">H", file.read(2))
        return file.read(length)
