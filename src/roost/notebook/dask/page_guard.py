"""The guard of the pages that Dask's scheduler shows: only who knows its secret sees them.

The pages are on loopback, which all users of a machine share, and which a web page can reach by a
name of its own (DNS rebinding). So every request must carry the secret: JupyterLab's server adds it
as a header once its own token was given, and a browser without JupyterLab has it in a cookie, from
the address that ``roost open`` opens. The secret is a new one at each start.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from roost.home import Folder, write_private

HEADER = "X-Roost-Dashboard"
COOKIE = "roost-dashboard"
LOOPBACK_NAMES = ("127.0.0.1", "localhost")
REFUSED = b"This is Dask's dashboard. `roost open NAME` shows it.\n"
PAGE = "/status"
Verdict = Literal["pass", "enter", "refuse"]


def judge(headers: Mapping[str, str], uri: str, secret: str) -> Verdict:
    """Return what becomes of a request; ``enter``: its address has the secret, give the cookie."""
    if _same(headers.get(HEADER, ""), secret):
        return "pass"
    host, origin = headers.get("Host", ""), headers.get("Origin", "")
    if host.rpartition(":")[0] not in LOOPBACK_NAMES:
        return "refuse"
    if origin and urlsplit(origin).netloc != host:
        return "refuse"
    if any(_same(one, secret) for one in parse_qs(urlsplit(uri).query).get("token", ())):
        return "enter"
    pairs = (pair.strip().partition("=") for pair in headers.get("Cookie", "").split(";"))
    mine = cookie(host)
    return "pass" if any(k == mine and _same(v, secret) for k, _, v in pairs) else "refuse"


def cookie(host: str) -> str:
    """Return the cookie's name: a browser gives all ports of a host the same cookies."""
    return f"{COOKIE}-{host.rpartition(':')[2]}"


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(), secret.encode())


def guard(place: Folder) -> None:
    """Guard all pages that this process will show, whichever module of Dask's shows them."""
    from tornado.httpserver import HTTPServer
    from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, ResponseStartLine

    secret = secrets.token_urlsafe(32)
    write_private(place.dashboard, secret + "\n")

    class Guarded(HTTPMessageDelegate):  # type: ignore[misc]
        """A request, which reaches Dask only if it may."""

        def __init__(self, inner: Any, connection: Any) -> None:
            self.inner, self.connection = inner, connection
            self.verdict: Verdict = "refuse"
            self.host = ""

        def headers_received(self, start_line: Any, headers: Any) -> Any:
            self.verdict = judge(headers, start_line.path, secret)
            self.host = headers.get("Host", "")
            return self._passed("headers_received", start_line, headers)

        def data_received(self, chunk: bytes) -> Any:
            return self._passed("data_received", chunk)

        def on_connection_close(self) -> None:
            self._passed("on_connection_close")

        def finish(self) -> None:
            if self.verdict == "pass":
                self.inner.finish()
                return
            code, reason, body, more = 403, "Forbidden", REFUSED, {}
            if self.verdict == "enter":
                code, reason, body = 302, "Found", b""
                kept = f"{cookie(self.host)}={secret}; Path=/; HttpOnly; SameSite=Strict"
                more = {"Location": PAGE, "Set-Cookie": kept}
            headers = HTTPHeaders({"Content-Length": str(len(body)), **more})
            line = ResponseStartLine("HTTP/1.1", code, reason)
            self.connection.write_headers(line, headers, body)
            self.connection.finish()

        def _passed(self, method: str, *words: Any) -> Any:
            return getattr(self.inner, method)(*words) if self.verdict == "pass" else None

    plain = HTTPServer.start_request

    def start_request(server: Any, server_conn: Any, request_conn: Any) -> Any:
        return Guarded(plain(server, server_conn, request_conn), request_conn)

    HTTPServer.start_request = start_request
