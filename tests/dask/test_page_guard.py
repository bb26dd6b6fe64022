"""Dask's pages: who sees them, through real requests to a real server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import pytest
from tornado import httpserver, web

from roost.home import Folder
from roost.notebook.dask import page_guard
from roost.notebook.dask.page_guard import HEADER, cookie, guard


class NoRedirect(HTTPRedirectHandler):
    """Shows an answer that leads elsewhere as it is."""

    def redirect_request(self, *_: object) -> None:
        """Follow nothing."""


class Pages(web.RequestHandler):
    """Stands in for Dask's."""

    def get(self) -> None:
        """Answer what nobody else may read."""
        self.write("the tasks")

    post = get


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a guarded server."""
    monkeypatch.setattr(httpserver.HTTPServer, "start_request", httpserver.HTTPServer.start_request)
    guard(Folder(tmp_path))
    found: list[int] = []
    ready, over = threading.Event(), threading.Event()

    async def serve() -> None:
        server = httpserver.HTTPServer(web.Application([(".*", Pages)]))
        server.listen(0, "127.0.0.1")
        found.append(next(iter(server._sockets.values())).getsockname()[1])
        ready.set()
        while not over.is_set():
            await asyncio.sleep(0.01)
        server.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait(10)
    yield found[0]
    over.set()
    thread.join(10)


def asked(port: int, path: str = "/status", body: bytes | None = None, **headers: str) -> int:
    names = {key.replace("_", "-"): value for key, value in headers.items()}
    request = Request(f"http://127.0.0.1:{port}{path}", body, names)
    try:
        with build_opener(NoRedirect).open(request) as answer:
            assert answer.read() == b"the tasks"
            return int(answer.status)
    except HTTPError as error:
        said = error.read()
        assert b"the tasks" not in said
        asked.last = error.headers  # type: ignore[attr-defined]
        return error.code


def test_only_who_knows_the_secret_sees_dasks_pages(port: int, tmp_path: Path) -> None:
    file = tmp_path / "dashboard"
    assert file.stat().st_mode & 0o777 == 0o600
    secret = file.read_text().strip()
    here = f"127.0.0.1:{port}"
    mine = {"Cookie": f"a=b; {cookie(here)}={secret}"}
    assert asked(port) == 403  # another user of the machine
    assert asked(port, body=b"x" * 100_000) == 403
    assert asked(port, **{HEADER: "wrong"}) == 403
    assert asked(port, "/?token=wrong") == 403
    assert asked(port, **mine, Host=f"attacker.example:{port}") == 403  # DNS rebinding
    assert asked(port, **mine, Origin="http://attacker.example") == 403
    assert asked(port, **mine, Origin=f"http://127.0.0.1:{port + 1}") == 403
    assert asked(port, Cookie=f"{cookie('127.0.0.1:1')}={secret}") == 403
    assert asked(port, Cookie="a=\xe9; =; ;") == 403
    assert asked(port, f"/?token={secret}", Host=f"attacker.example:{port}") == 403
    # JupyterLab's proxy, which passes the browser's own Host on; then a browser alone.
    assert asked(port, **{HEADER: secret, "Host": "127.0.0.1:8888"}) == 200
    assert asked(port, **mine) == 200
    assert asked(port, body=b"x", **mine, Origin=f"http://{here}") == 200
    assert asked(port, f"/?token={secret}") == 302
    given = asked.last  # type: ignore[attr-defined]
    assert given["Location"] == "/status"
    assert given["Set-Cookie"].endswith("; Path=/; HttpOnly; SameSite=Strict")
    assert asked(port, Cookie=given["Set-Cookie"].partition(";")[0]) == 200


def test_every_start_has_another_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpserver.HTTPServer, "start_request", httpserver.HTTPServer.start_request)
    found = set()
    for _ in range(2):
        guard(Folder(tmp_path))
        found.add((tmp_path / "dashboard").read_text())
    assert len(found) == 2
    assert page_guard.judge({HEADER: ""}, "/", found.pop()) == "refuse"
