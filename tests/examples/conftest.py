"""A STAC archive on this machine, for the tests of the examples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.serving import serving


class Archive(BaseHTTPRequestHandler):
    """As much of a STAC API as a search needs."""

    def do_GET(self) -> None:
        server = f"http://{self.headers['Host']}"
        conformance = ["core", "item-search", "item-search#query"]
        self.answer(
            {
                "type": "Catalog",
                "id": "archive",
                "description": "for a test",
                "stac_version": "1.0.0",
                "conformsTo": [f"https://api.stacspec.org/v1.0.0/{name}" for name in conformance],
                "links": [
                    {"rel": "self", "href": server},
                    {"rel": "root", "href": server},
                    *(
                        {
                            "rel": "search",
                            "href": f"{server}/search",
                            "type": "application/geo+json",
                            "method": method,
                        }
                        for method in ("GET", "POST")
                    ),
                ],
            }
        )

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(asked)  # type: ignore[attr-defined]
        self.answer({"type": "FeatureCollection", "features": self.server.items})  # type: ignore[attr-defined]

    def answer(self, document: dict) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def archive() -> Iterator[ThreadingHTTPServer]:
    """A STAC API on this machine: put items into ``items``, find what was asked in ``asked``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Archive)
    server.items, server.asked = [], []  # type: ignore[attr-defined]
    with serving(server):
        yield server
