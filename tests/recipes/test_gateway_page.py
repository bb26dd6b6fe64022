"""The pages of a class behind its gateway: Caddy's configuration, and what Caddy makes of it."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from roost.recipes.base import Context
from roost.recipes.desktop.novnc import page
from roost.recipes.gateway import CONFIG, CREDENTIALS, MAKER, caddy
from roost.recipes.people import ONWARD, SSHD
from roost.recipes.registry import handover_of
from roost.spec import load
from tests.recipes.test_gateway_recipe import COURSE
from tests.serving import serving

OPEN = COURSE.replace('reach = "jump"', 'reach = "jump"\nhttps = ["anywhere"]')


def files_of(file: Path, context: Context) -> dict[str, Any]:
    steps = handover_of(load(file), "gateway", context).steps
    return {one.path: one for step in steps for one in step.files}


def test_the_config_is_data_that_only_root_reads(tmp_path: Path) -> None:
    file = tmp_path / "course.toml"
    file.write_text(OPEN)
    context = Context(seats={7: "10.0.0.7", 12: "fd00::12"}, seat_keys=())
    found = files_of(file, context)
    assert found[CONFIG].mode == "0600"
    config = json.loads(found[CONFIG].content)
    assert config["admin"] == {"disabled": True}
    dials = [
        upstream["dial"]
        for route in config["apps"]["http"]["servers"]["page"]["routes"]
        for handler in route["handle"]
        for upstream in handler.get("upstreams", ())
    ]
    assert dials == ["10.0.0.7:443", "[fd00::12]:443"]
    assert "acme" not in found[CONFIG].content
    # Nobody with a seat's key comes to a socket of the gateway, or leaves a port open on it.
    assert found[SSHD].content.endswith(ONWARD)
    seat = handover_of(load(file), "seat", context).steps
    assert ONWARD not in "".join(one.content for step in seat for one in step.files)
    file.write_text(OPEN + 'host = "class.example.org"\n')
    named = json.loads(files_of(file, context)[CONFIG].content)
    assert named["apps"]["tls"]["certificates"] == {"automate": ["class.example.org"]}


class Seat(BaseHTTPRequestHandler):
    """A seat whose user is root there, and sends what a page of others must not become."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers.get("Upgrade") == "websocket":
            self.connection.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nX-Path: " + self.path.encode() + b"\r\n\r\n"
            )
            self.connection.sendall(self.connection.recv(9))
            self.close_connection = True
            return
        body = f"<script>{self.path} {self.headers.get('Authorization')}</script>".encode()
        self.send_response(200)
        for key, value in {
            "Content-Type": "text/html",
            "Set-Cookie": "a=b",
            "Content-Security-Policy": "default-src *",
            "Content-Length": str(len(body)),
        }.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def certificate(folder: Path) -> tuple[Path, Path]:
    """The gateway's own, made by its own program."""
    text = (Path("src/roost/machine/programs") / MAKER.rpartition("/")[2]).read_text()
    text = text.replace("/etc/roost/secrets", str(folder))
    for _ in range(2):  # the second changes nothing
        subprocess.run(
            ["sh", "-c", text], check=True, env={"ROOST_NAME": "room", "PATH": "/bin:/usr/bin"}
        )
    return folder / "page.crt", folder / "page.key"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[int]:
    """The port of a real Caddy, for seat 7 that answers and seat 8 that is off."""
    crt, key = certificate(tmp_path / "secrets")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    for file in page("room", "ask"):
        place = tmp_path / "page" / Path(file.path).name
        place.parent.mkdir(exist_ok=True)
        place.write_text(file.content)
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        port, closed = one.getsockname()[1], two.getsockname()[1]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Seat)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    text = json.dumps(caddy({7: "SEVEN", 8: "EIGHT"}, None))
    for old, new in {
        "SEVEN:443": f"127.0.0.1:{server.server_port}",
        "EIGHT:443": f"127.0.0.1:{closed}",
        ":443": f"127.0.0.1:{port}",
        CREDENTIALS: str(tmp_path / "secrets"),
        "/usr/lib/roost/desktop/page": str(tmp_path / "page"),
        "/var/lib/roost-gateway-page": str(tmp_path / "state"),
    }.items():
        text = text.replace(old, new)
    (tmp_path / "page.json").write_text(text)
    words = ["caddy", "run", "--config", str(tmp_path / "page.json")]
    with serving(server), subprocess.Popen(words, env={"HOME": str(tmp_path)}) as running:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield port
        running.terminate()


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("caddy") is None, reason="there is no caddy on the PATH")
def test_each_seat_is_a_path_and_its_answers_are_no_pages(gateway: int) -> None:
    def get(path: str) -> tuple[int, Any, str]:
        request = urllib.request.Request(
            f"https://127.0.0.1:{gateway}{path}", headers={"Authorization": "Bearer abc"}
        )
        try:
            with urllib.request.urlopen(request, context=trusting()) as answer:
                return answer.status, answer, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error, error.read().decode()

    status, answer, text = get("/7")
    assert (status, answer.url.endswith("/7/"), "room" in text) == (200, True, True)
    assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert "KEPT" in get("/7/page.js")[2]
    status, answer, text = get("/7/key")
    assert (status, text) == (200, "<script>/key Bearer abc</script>")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Set-Cookie"] is None
    for one in ("mine", "hand", "restart"):
        assert f"/{one} Bearer" in get(f"/7/{one}")[2]
    assert b"/glance" not in get("/7/glance")[2].encode()  # no picture, for nobody but the trainer
    assert get("/8/key")[0] == 502
    for path in ("/", "/9/", "/9/key", "/77/", "/7/../8/nothing", "/7/%2e%2e/secrets/page.key"):
        assert get(path)[0] == 404, path
    with socket.create_connection(("127.0.0.1", gateway)) as plain:
        wire = trusting().wrap_socket(plain)
        wire.sendall(
            b"GET /7/screen/s3 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YWJjZGVmZ2hpamtsbW5vcA==\r\n\r\n"
        )
        said = wire.recv(4096)
        assert b" 101 " in said.partition(b"\r\n")[0] + b" "
        assert b"X-Path: /screen/s3" in said
        wire.sendall(b"RFB 003.8")
        assert wire.recv(9) == b"RFB 003.8"
