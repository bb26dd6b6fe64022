"""GET requests over plain sockets, for downloads and listings: little work and little memory.

Amazon's client gives the body of every request to Python through its own threads and buffers. Here
the thread that wants an object reads it from its connection, into memory of its own. What goes
wrong here is tried again by those who ask; what only Amazon's client can do (a proxy, an object in
chunks) is left to it, by WireError.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from roost.transfer.s3.config import Keys, Where
from roost.transfer.s3.failures import StoreError
from roost.transfer.s3.reply import SAFE, Reply, query_text
from roost.transfer.s3.signing import signed

if TYPE_CHECKING:
    import ssl

CONNECTING, WAITING = 10, 30
"""Seconds to wait for a connection, and for the next bytes of an answer."""
NEVER = frozenset({"NoRange", "NoLength", "SSLCertVerificationError"})
"""The codes of errors for which only Amazon's client is left."""
OK = 200
_BUFFER = 2**16
_LONGEST_ERROR = 2**20
_LONGEST_PAGE = 2**26
"""A page of a listing names 1,000 objects at most."""
_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}[ \t]*(;.*)?")
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


class WireError(StoreError):
    """An answer that could not be had in this way. Another try, or another way, may succeed."""

    def __init__(self, key: str, code: str, text: str = "") -> None:
        super().__init__("GetObject", key, code, text)


class Connection:
    """One connection, and what has arrived of the next answer."""

    __slots__ = ("buffer", "end", "flags", "fresh", "socket", "start")

    def __init__(self, made: socket.socket, *, tls: bool) -> None:
        self.socket = made
        self.flags = 0 if tls else socket.MSG_WAITALL
        self.buffer = bytearray(_BUFFER)
        self.start = self.end = 0
        self.fresh = True

    def head(self) -> tuple[int, dict[str, str], bool]:
        """Read the head of an answer: its status, its headers, and if more may follow it."""
        self.start = self.end = 0
        view = memoryview(self.buffer)
        while (at := self.buffer.find(b"\r\n\r\n", 0, self.end)) < 0:
            count = self.socket.recv_into(view[self.end :]) if self.end < _BUFFER else 0
            if not count:
                raise ConnectionError("the connection ended")
            self.end += count
        self.start = at + 4
        first, *lines = self.buffer[:at].decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        lives = first.startswith("HTTP/1.1") and headers.get("connection", "").lower() != "close"
        return int(first[9:12]), headers, lives

    def read_into(self, into: memoryview) -> None:
        """Fill the memory with the next bytes of the body."""
        size = len(into)
        ready = min(size, self.end - self.start)
        if ready:
            into[:ready] = self.buffer[self.start : self.start + ready]
            self.start += ready
        while ready < size:
            rest = into[ready:]
            count = self.socket.recv_into(rest, 0, self.flags)
            if not count:
                raise ConnectionError("the connection ended")
            ready += count

    def read_chunks(self) -> bytes:
        """Read a body that comes in chunks, each after its size."""
        body = bytearray()
        while size := self._size():
            if len(body) + size > _LONGEST_PAGE:
                raise ValueError("an answer without end")
            chunk = bytearray(size)
            self.read_into(memoryview(chunk))
            body += chunk
            if self._line():
                raise ValueError("a chunk that is longer than it says")
        while self._line():  # headers after the body
            pass
        return bytes(body)

    def _size(self) -> int:
        line = self._line()
        if not _SIZE.fullmatch(line):
            raise ValueError("a chunk without its size")
        return int(line.partition(b";")[0], 16)

    def _line(self) -> bytes:
        view = memoryview(self.buffer)
        while (at := self.buffer.find(b"\r\n", self.start, self.end)) < 0:
            left = self.end - self.start
            view[:left] = view[self.start : self.end]
            self.start, self.end = 0, left
            count = self.socket.recv_into(view[left:]) if left < _BUFFER else 0
            if not count:
                raise ConnectionError("the connection ended")
            self.end += count
        line = bytes(view[self.start : at])
        self.start = at + 2
        return line


class Wire:
    """Connections to the service that has one bucket."""

    def __init__(self, host: str, base: str, where: Where, keys: Callable[[], Keys | None]) -> None:
        at = urlsplit(where.endpoint or f"https://{host}")
        self._address = (at.hostname or "", at.port or (443 if at.scheme == "https" else 80))
        self._tls = _context(where) if at.scheme == "https" else None
        self._host, self._base, self._where, self._keys = host, base, where, keys
        self._idle: list[Connection] = []
        self._lock = Lock()
        self._stamped: tuple[int, str] = (0, "")
        self.usable = not _through_a_proxy(at.scheme, self._address[0])

    def get(self, key: str, headers: Mapping[str, str]) -> Answer:
        """Ask for an object; the answer is read by its ``result``. Raises StoreError."""
        return Answer(self, key, self.request(key, headers))

    def page(self, query: Mapping[str, str]) -> Answer:
        """Ask for a page of a listing; it is read by the answer's ``page``. Raises StoreError."""
        return Answer(self, "", self.request("", {}, query))

    def request(
        self, key: str, headers: Mapping[str, str], query: Mapping[str, str] | None = None
    ) -> bytes:
        """Return the bytes of a request."""
        path = f"{self._base}/{quote(key, safe=SAFE, errors='surrogateescape')}"
        asked = query_text(query or {})
        where = self._where
        more = {"host": self._host, **headers, **where.headers}
        lines = signed(path, more, self._keys(), where.region, self._stamp(), asked)
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"GET {path}{'?' if asked else ''}{asked} HTTP/1.1\r\n{text}\r\n".encode()

    def _stamp(self) -> str:
        now = int(time.time())
        if self._stamped[0] != now:
            self._stamped = (now, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now)))
        return self._stamped[1]

    def take(self, *, fresh: bool = False) -> Connection:
        """Return a connection that nobody uses. Raises OSError."""
        with self._lock:
            if self._idle and not fresh:
                return self._idle.pop()
        plain = socket.create_connection(self._address, CONNECTING)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            made = (
                self._tls.wrap_socket(plain, server_hostname=self._address[0])
                if (self._tls)
                else plain
            )
        except OSError:
            plain.close()
            raise
        made.settimeout(None)  # a time limit of Python's would ask the system before each read
        limit = struct.pack("ll", WAITING, 0)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            made.setsockopt(socket.SOL_SOCKET, option, limit)
        return Connection(made, tls=self._tls is not None)

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose answer was read to its end for the next request."""
        connection.fresh = False
        with self._lock:
            self._idle.append(connection)

    def close(self) -> None:
        """End the connections that nobody uses."""
        with self._lock:
            for one in self._idle:
                one.socket.close()
            self._idle.clear()


class Answer:
    """The answer to a request that was sent; whoever wants it reads it from the connection."""

    __slots__ = ("_connection", "_key", "_request", "_wire")

    def __init__(self, wire: Wire, key: str, request: bytes) -> None:
        self._wire, self._key, self._request = wire, key, request
        try:
            self._connection = wire.take()
            try:
                self._connection.socket.sendall(request)
            except OSError:  # the other side has ended it meanwhile
                self._again()
        except OSError as error:
            raise WireError(key, type(error).__name__, str(error)) from None

    def _again(self) -> None:
        fresh = self._connection.fresh
        self._connection.socket.close()
        if fresh:
            raise ConnectionError("the connection ended")
        self._connection = self._wire.take(fresh=True)
        self._connection.socket.sendall(self._request)

    def head(self, *, chunks: bool = False) -> tuple[int, dict[str, str], bool]:
        """Return status and headers of a success, and if more may follow. Raises StoreError.

        A body in ``chunks`` has no length in its head.
        """
        try:
            try:
                status, headers, lives = self._connection.head()
            except ConnectionError:
                self._again()
                status, headers, lives = self._connection.head()
        except (OSError, ValueError) as error:
            self._connection.socket.close()
            raise WireError(self._key, type(error).__name__, str(error)) from None
        sized = "content-length" in headers and "transfer-encoding" not in headers
        if not sized and not (chunks and status == OK):
            self._connection.socket.close()
            raise WireError(self._key, "NoLength", "an answer without its length")
        if status not in {OK, 206}:
            raise self._refused(status, headers, lives=lives)
        return status, headers, lives

    def _refused(self, status: int, headers: dict[str, str], *, lives: bool) -> StoreError:
        body = bytearray(min(int(headers["content-length"]), _LONGEST_ERROR))
        self.read(memoryview(body))
        self.end(lives=lives and len(body) < _LONGEST_ERROR)
        return StoreError.answered("GetObject", self._key, status, headers, bytes(body))

    def read(self, into: memoryview) -> None:
        """Fill the memory with the next bytes of the body. Raises StoreError."""
        try:
            self._connection.read_into(into)
        except OSError as error:
            self._connection.socket.close()
            raise WireError(self._key, type(error).__name__, str(error)) from None

    def end(self, *, lives: bool) -> None:
        """Let others use the connection, if all of the body was read."""
        if lives:
            self._wire.give_back(self._connection)
        else:
            self._connection.socket.close()

    def page(self) -> Reply:
        """Return the whole answer, in memory, of any length. Raises StoreError."""
        status, headers, lives = self.head(chunks=True)
        try:
            if headers.get("transfer-encoding", "").lower() == "chunked":
                body = self._connection.read_chunks()
            elif int(headers.get("content-length", _LONGEST_PAGE)) < _LONGEST_PAGE:
                whole = bytearray(int(headers["content-length"]))
                self._connection.read_into(memoryview(whole))
                body = bytes(whole)
            else:
                raise ValueError("an answer without end")
        except (OSError, ValueError) as error:
            self._connection.socket.close()
            raise WireError(self._key, type(error).__name__, str(error)) from None
        self.end(lives=lives)
        return Reply(status, headers, body)

    def result(self) -> Reply:
        """Return the whole answer, in memory. Raises StoreError."""
        status, headers, lives = self.head()
        body = bytearray(int(headers["content-length"]))
        self.read(memoryview(body))
        self.end(lives=lives)
        return Reply(status, headers, bytes(body))


def _context(where: Where) -> ssl.SSLContext:
    import ssl

    context = ssl.create_default_context(cafile=where.ca_bundle)
    if where.ca_bundle is None and not context.cert_store_stats()["x509_ca"]:
        for bundle in _BUNDLES:  # a Python that does not know where this system keeps them
            if os.path.exists(bundle):
                context.load_verify_locations(cafile=bundle)
                break
    return context


def _through_a_proxy(scheme: str, host: str) -> bool:
    if not any(os.environ.get(one) or os.environ.get(one.upper()) for one in _PROXIES):
        return False
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    return (scheme in proxies or "all" in proxies) and not proxy_bypass(host)
