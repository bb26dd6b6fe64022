"""A moto of its own process, as the benchmarks of AWS need it; run by them.

    python benchmarks/aws_server.py LOG

Prints its port. Every request is a line of JSON in LOG: the program, the action, when it came
(seconds since the epoch), how long moto worked on it (seconds), and how long the answer is.

Added to moto is what EC2 knows and moto does not (see ``as_moto_has_it``), and a memory: after
POST /bench/remember each answer that only reads is given again, the same bytes, without moto's
working it out anew; POST /bench/forget ends that, and POST /bench/reset empties the account.
"""

from __future__ import annotations

import io
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

sys.path.insert(0, str(Path(__file__).parents[1]))

Answer = tuple[str, list[tuple[str, str]], bytes]
IMAGE = "ami-12c6146b"
"""One of the images that moto has: any system is this one."""


class Recorder:
    """Between the programs and moto (WSGI): writes down, and repeats where it may."""

    def __init__(self, moto: Callable[..., Iterable[bytes]], log: str) -> None:
        self.moto = moto
        self.log = open(log, "a", buffering=1)  # noqa: SIM115 - as long as the server
        self.answers: dict[tuple[str, str, bytes], Answer] | None = None
        self.lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        environ |= {"bench.come": time.time(), "bench.took": 0.0}
        if path.startswith("/bench/"):
            self.answers = {} if path == "/bench/remember" else None
            if path == "/bench/reset":
                reset()
            start("200 OK", [("Content-Length", "0")])
            return [b""]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        action = action_of(environ, body)
        status, headers, answer = self._answer(environ, body, action)
        start(status, headers)
        self._note(environ, action, len(answer))
        return [answer]

    def _answer(self, environ: dict[str, Any], body: bytes, action: str) -> Answer:
        # The region and the service are in the signature's scope.
        scope = "/".join(environ.get("HTTP_AUTHORIZATION", "").split("/")[2:4])
        key = (scope, action, body)
        known = self.answers
        if known is not None and key in known:
            return known[key]
        answer = self._ask(environ, as_moto_has_it(body) if action == "RunInstances" else body)
        if known is not None and action.startswith(("Describe", "Get")):
            known[key] = answer
        return answer

    def _ask(self, environ: dict[str, Any], body: bytes) -> Answer:
        said: list[Any] = []
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        with self.lock:  # moto's memory is not made for two at once
            begun = time.time()
            parts = self.moto(environ, lambda status, headers, *_: said.extend((status, headers)))
            answer = b"".join(parts)
            environ["bench.took"] = time.time() - begun
        if (
            b"<DescribeImagesResponse" in answer[:500]
        ):  # EC2 says whether an image's disk is encrypted
            answer = answer.replace(b"<ebs>", b"<ebs><encrypted>false</encrypted>")
            said[1] = [(k, v) for k, v in said[1] if k != "Content-Length"]
            said[1].append(("Content-Length", str(len(answer))))
        return said[0], said[1], answer

    def _note(self, environ: dict[str, Any], action: str, size: int) -> None:
        agent = environ.get("HTTP_USER_AGENT", "")
        program = "roost" if "roost/" in agent else agent.split("/")[0]
        line = {
            "program": program,
            "action": action,
            "come": environ["bench.come"],
            "took": environ["bench.took"],
            "bytes": size,
        }
        self.log.write(json.dumps(line) + "\n")


def action_of(environ: dict[str, Any], body: bytes) -> str:
    """The operation: EC2 has it in the form, the JSON services in a header."""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    found: list[str] = parse_qs(body.decode("utf-8", "replace")).get("Action", [])
    return found[0] if found else target.rpartition(".")[2] or environ["PATH_INFO"]


def reset() -> None:
    """An empty account, with one image and no snapshots: moto's own take it long to list."""
    from moto.ec2 import ec2_backends
    from moto.moto_api._internal import moto_api_backend

    moto_api_backend.reset()
    for account in list(ec2_backends.values()):
        for backend in list(account.values()):
            backend.amis = {IMAGE: backend.amis[IMAGE]}
            backend.snapshots.clear()


def as_moto_has_it(body: bytes) -> bytes:
    """A launch without what EC2 knows and moto does not: images by name, and ephemeral disks.

    And moto launches as few as it may (MinCount), EC2 as many as it has (up to MaxCount).
    """
    asked = dict(parse_qsl(body.decode(), keep_blank_values=True))
    if asked["ImageId"].startswith("resolve:ssm:"):
        asked["ImageId"] = IMAGE
    asked["MinCount"] = asked["MaxCount"]
    for named in [key for key in asked if key.endswith(".VirtualName")]:
        mapping = named.removesuffix("VirtualName")
        asked = {key: value for key, value in asked.items() if not key.startswith(mapping)}
    return urlencode(asked).encode()


def main() -> None:
    from moto.ec2.models import EC2Backend
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    from tests.aws.moto_account import with_way_out

    EC2Backend.create_default_vpc = with_way_out

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_request(self, *_: Any) -> None:
            pass

        def setup(self) -> None:
            super().setup()
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    app = Recorder(DomainDispatcherApplication(create_backend_app), sys.argv[1])
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
