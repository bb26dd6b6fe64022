"""What stands before the services: it counts each call, and makes go wrong what a test asks for.

The catalogue's public endpoints lead here, a port for each service. Services ask each other
directly, so that all that is counted is a client's.
"""

from __future__ import annotations

import http.client
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

from tests.openstack.places import SERVICES, Ports
from tests.openstack.weather import LOGIN, Moment, Weather, answer, name_of
from tests.serving import serving

PATIENCE = 300
OF_ONE_STEP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
"""Headers that are between two neighbours, and are not passed on."""


@dataclass
class Proxy:
    """``victim`` is the process group that is killed where the weather says so."""

    ports: Ports
    weather: Weather = field(default_factory=Weather)
    moments: list[Moment] = field(default_factory=list)
    victim: int | None = None
    alone: Lock = field(default_factory=Lock)
    _counts: Counter[str] = field(default_factory=Counter)
    _tokens: dict[str, tuple[int, float]] = field(default_factory=dict)

    def begin(self, weather: Weather | None = None, victim: int | None = None) -> None:
        """Count from nothing."""
        with self.alone:
            self.weather, self.victim = weather or Weather(), victim
            self.moments, self._counts, self._tokens = [], Counter(), {}

    @property
    def calls(self) -> list[str]:
        """The names of all calls since the beginning, without those that ask for versions."""
        return [one.name for one in self.moments if not one.name.endswith(" /")]

    def asked(self, name: str, token: str | None) -> tuple[Moment, int | None]:
        """Count it; the status that is the answer instead, if there is one."""
        with self.alone:
            moment = Moment(name, self._counts[name])
            self._counts[name] += 1
            self.moments.append(moment)
            expired = token is not None and name != LOGIN and self._expired(token)
            return moment, 401 if expired else self.weather.error(moment.at)

    def _expired(self, token: str) -> bool:
        now, weather = time.monotonic(), self.weather
        used, since = self._tokens.get(token, (0, now))
        self._tokens[token] = (used + 1, since)
        too_often = weather.token_calls is not None and used >= weather.token_calls
        return too_often or (
            weather.token_seconds is not None and now - since >= weather.token_seconds
        )

    def kill(self) -> None:
        if self.victim is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.victim, signal.SIGKILL)

    @contextmanager
    def listening(self) -> Iterator[Proxy]:
        with ExitStack() as stack:
            for service in SERVICES:
                handler = type("Handler", (_Handler,), {"proxy": self, "service": service})
                address = (self.ports.address, self.ports.proxy(service))
                server = ThreadingHTTPServer(address, handler)
                server.daemon_threads = True
                stack.enter_context(serving(server))
            yield self


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    proxy: Proxy
    service: str

    def log_message(self, *_: object) -> None:
        pass

    def _attend(self) -> None:
        body, proxy = self._body(), self.proxy
        name = name_of(self.service, self.command, self.path, body)
        moment, instead = proxy.asked(name, self.headers.get("X-Auth-Token"))
        weather = proxy.weather
        if weather.kill_before == moment.at:
            proxy.kill()
            self.close_connection = True
            return
        if instead is not None:
            self._answer(instead, *answer(self.service, instead))
            return
        status, headers, said = self._forward(body)
        if weather.kill_after == moment.at:
            proxy.kill()
        if moment.at in weather.lost_answers or weather.kill_after == moment.at:
            self.close_connection = True
        elif moment.at in weather.done_but:
            status = weather.done_but[moment.at]
            self._answer(status, *answer(self.service, status))
        else:
            self._answer(status, headers, said)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _attend  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """With the client's own Host: what a service says of its address leads here again."""
        headers = {k: v for k, v in self.headers.items() if k.lower() not in OF_ONE_STEP}
        there = http.client.HTTPConnection(
            "127.0.0.1", self.proxy.ports.port(self.service), timeout=PATIENCE
        )
        try:
            there.request(self.command, self.path, body or None, headers)
            got = there.getresponse()
            return got.status, dict(got.getheaders()), got.read()
        except OSError:
            return 503, *answer(self.service, 503)
        finally:
            there.close()

    def _answer(self, status: int, headers: dict[str, str], said: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in OF_ONE_STEP:
                self.send_header(name, value)
        if "content-type" not in {name.lower() for name in headers} and said:
            self.send_header("Content-Type", "application/json")
        if status != 204:
            length = headers.get("Content-Length", "0") if self.command == "HEAD" else len(said)
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said)
