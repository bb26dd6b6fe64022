"""The metadata service (IMDS) of each machine, at 169.254.169.254 in its own network namespace.

Source: EC2 user guide, "Use instance metadata": the paths, and tokens (IMDSv2).
"""

from __future__ import annotations

import gzip
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.bench.network import METADATA, Port, within

TOKEN = "X-aws-ec2-metadata-token"
TTL = "X-aws-ec2-metadata-token-ttl-seconds"
VERSIONS = ("1.0", "2008-02-01", "2009-04-04", "2018-09-24", "2021-03-23", "latest")
Tree = Mapping[str, Any]


class Service(ThreadingHTTPServer):
    """``tree`` gives what there is now, as folders of folders; None as a token rule: required."""

    daemon_threads = True

    def __init__(self, tree: Callable[[], Tree], strict: Callable[[], bool]) -> None:
        super().__init__((METADATA, 80), _Handler)
        self.tree = tree
        self.strict = strict
        self.tokens: dict[str, float] = {}


class _Handler(BaseHTTPRequestHandler):
    server: Service
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_PUT(self) -> None:
        lifetime = self.headers.get(TTL, "")
        if self.path != "/latest/api/token" or not lifetime.isdigit():
            self._say(400, b"")
            return
        token = secrets.token_urlsafe(40)
        self.server.tokens[token] = time.monotonic() + int(lifetime)
        self._say(200, token.encode())

    def do_GET(self) -> None:
        token = self.headers.get(TOKEN)
        known = token is not None and self.server.tokens.get(token, 0) > time.monotonic()
        if not known and (token is not None or self.server.strict()):
            self._say(401, b"")
            return
        found = look(self.server.tree(), self.path)
        self._say(404, b"") if found is None else self._say(200, found)

    def _say(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def look(tree: Tree, path: str) -> bytes | None:
    """What is at a path; the names in it, for a folder."""
    parts = [part for part in path.split("?", maxsplit=1)[0].split("/") if part]
    if not parts:
        return "\n".join(VERSIONS).encode()
    if parts[0] not in VERSIONS:
        return None
    found: Any = tree
    for part in parts[1:]:
        # Keys are listed as "0=name" and looked up as "0".
        if not isinstance(found, Mapping) or part.split("=")[0] not in found:
            return None
        found = found[part.split("=")[0]]
    if isinstance(found, Mapping):
        return "\n".join(_entry(key, value) for key, value in found.items()).encode()
    return found if isinstance(found, bytes) else str(found).encode()


def _entry(key: str, value: Any) -> str:
    if key == "0" and isinstance(value, Mapping) and "openssh-key" in value:
        return "0=key"
    return f"{key}/" if isinstance(value, Mapping) else key


def serve(port: Port, tree: Callable[[], Tree], strict: Callable[[], bool]) -> Service:
    """Begin to answer the machine at ``port``."""
    service = within(port.namespace, lambda: Service(tree, strict))
    threading.Thread(target=service.serve_forever, args=(0.2,), daemon=True).start()
    return service


def plain(user_data: bytes) -> bytes:
    """User-data as text, for people."""
    return gzip.decompress(user_data) if user_data[:2] == b"\x1f\x8b" else user_data
