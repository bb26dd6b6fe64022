"""A look at a seat: what the seat answers, and the gateway's program that asks all of them."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from roost.model.glance import LARGEST, LONGEST_LINE, parse
from roost.recipes.desktop import novnc
from roost.spec import from_json
from tests.page.class_of_fakes import certificate
from tests.recipes.test_desktop_programs import module

ANSWER = b'{"hash": "0123456789abcdef", "idle_s": 3}'


def test_a_class_has_what_is_looked_at_and_a_desktop_has_not() -> None:
    def names(kind: str) -> dict[str, list[str]]:
        text = (
            f'{{"name": "a", "kind": "{kind}", "cloud": "aws", "seats": 2, "protocol": "novnc",'
            ' "aws": {"region": "eu-central-1"},'
            ' "machine": {"type": "t3.medium", "image": "debian-12"}}'
        )
        found: Any = from_json(text if kind == "classroom" else text.replace('"seats": 2, ', ""))
        return {one.name: [f.path for f in one.files] for one in novnc.steps(found)}

    seat, alone = names("classroom"), names("desktop")
    assert set(seat) - set(alone) == {"desktop-glance"}
    (new,) = set(seat["desktop-page"]) - set(alone["desktop-page"])
    assert new == "/usr/lib/roost/desktop/glance.conf"


def test_a_seat_says_how_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    glance = module("glance.py")
    text = "MemTotal:       16000000 kB\nMemFree: 1 kB\nMemAvailable:    4000000 kB\n"
    assert glance.memory(text) == (11719, 15625)
    assert glance.memory("") is None
    assert glance.trouble('{"state": "done"}', "nr_free 1\noom_kill 0\n") == (False, "")
    assert glance.trouble("", "oom_kill 2\n") == (
        False,
        "memory was full: the system ended 2 programs",
    )
    failed = json.dumps({"state": "failed", "note": "no room"})
    assert glance.trouble(failed, "") == (True, "the set-up failed: no room")

    class Screen:
        data = b"jpeg"

        def idle_s(self) -> float:
            return 7.0

        def picture(self) -> bytes:
            return self.data

    monkeypatch.setattr(glance, "STATUS", tmp_path / "none")
    first = glance.look(Screen(), "")
    assert base64.b64decode(first["picture"]) == b"jpeg"
    assert "picture" not in glance.look(Screen(), first["hash"])
    monkeypatch.setattr(Screen, "data", b"x" * (LARGEST + 1))
    assert "hash" not in glance.look(Screen(), "")
    assert glance.LARGEST <= LARGEST
    assert first["hand"] is False


def test_a_seats_page_asks_for_help_and_how_long_it_lasts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    glance = module("glance.py")
    monkeypatch.setattr(glance, "HAND", tmp_path / "up")
    monkeypatch.setattr(glance, "RESTART", tmp_path / "restart")
    monkeypatch.setattr(glance, "STATUS", tmp_path / "none")
    limits = tmp_path / "limits"
    monkeypatch.setattr(glance, "LIMITS", ("cat", str(limits)))

    def asked(line: str) -> tuple[str, Any]:
        here, there = socket.socketpair()
        with here, there:
            here.sendall(f"{line} HTTP/1.0\r\nHost: a\r\n\r\n".encode())
            glance.answer(there, lambda: None)
            head, _, body = here.recv(10_000).partition(b"\r\n\r\n")
        return head.decode().split()[1], json.loads(body) if body else None

    assert asked("GET /glance?0123456789abcdef")[1]["idle_s"] is None
    assert asked("GET /mine") == ("200", {"left_s": None, "hand": False})
    assert asked("POST /hand?up") == ("200", {"left_s": None, "hand": True})
    assert asked("GET /glance?0")[1]["hand"] is True
    assert asked("POST /hand?down")[1]["hand"] is False
    limits.write_text('{"end": "2000-01-01T00:00:00+00:00", "stops_in_s": 540}')
    assert asked("GET /mine")[1]["left_s"] == 540
    end = datetime.fromtimestamp(time.time() + 7200, UTC).isoformat()
    limits.write_text(json.dumps({"end": end, "stops_in_s": None}))
    assert 7190 < asked("GET /mine")[1]["left_s"] <= 7200
    assert not glance.RESTART.exists()
    assert asked("POST /restart")[0] == "200"
    assert glance.RESTART.exists()  # the path that systemd watches
    for wrong in (
        "GET /hand?up",
        "GET /restart",
        "POST /glance",
        "GET /",
        "GET /glance?../x",
        "POST /hand?a b",
    ):
        assert asked(wrong) == ("400", None), wrong
    assert not (tmp_path / "up").exists()


@pytest.fixture
def glances() -> ModuleType:
    program = files("roost.machine").joinpath("programs", "gateway-glances")
    found = ModuleType("glances")
    exec(program.read_text(), found.__dict__)
    found.EVERY, found.PATIENCE = 0.02, 0.3  # type: ignore[attr-defined]
    return found


Answer = Callable[[bytes], bytes | None]


def looked(glances: ModuleType, folder: Path, answers: list[Answer], until: int) -> list[Any]:
    """The first lines of a look at one seat, which answers its connections in turn."""
    certificate(folder)
    told: list[Any] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = answers.pop(0)
        try:
            while asked := await reader.readuntil(b"\r\n\r\n"):
                said = answer(asked)
                if said is None:
                    break
                writer.write(said)
        except (EOFError, ConnectionError):
            pass
        writer.close()

    async def both() -> None:
        secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        secure.load_cert_chain(folder / "seat.crt", folder / "seat.key")
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=secure)
        port = server.sockets[0].getsockname()[1]
        kept = folder / "seats.json"
        kept.write_text(json.dumps({"i-1": json.dumps({"view_password": "look-on"})}))
        watch = glances.Watch(told.append, str(kept), port, range(31000, 31400))
        watch.roster(json.dumps({"seats": {"seat-1": ["127.0.0.1", "i-1"]}}))
        for _ in range(400):
            if len(told) >= until:
                break
            await asyncio.sleep(0.01)
        watch.roster('{"seats": {}}')
        assert watch.tasks == {}
        server.close()

    asyncio.run(both())
    return told


def http(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nServer: nginx\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
def test_the_gateway_asks_again_and_again_and_says_why_there_is_no_answer(
    glances: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(glances.random, "uniform", lambda *_: 0)
    asked: list[bytes] = []

    def well(request: bytes) -> bytes | None:
        asked.append(request)
        return http(ANSWER) if len(asked) < 3 else None  # then nginx ends the connection

    def again(request: bytes) -> bytes:
        asked.append(request)
        return http(ANSWER)

    told = looked(glances, tmp_path, [well, again, again], 4)
    assert [base64.b64decode(one["answer"]) for one in told[:4]] == [ANSWER] * 4
    assert asked[0].startswith(b"GET /glance?0 HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer lookon\r\n" in asked[0]
    assert asked[1].startswith(b"GET /glance?0123456789abcdef ")  # it need not send it again
    found = parse(json.dumps(told[0]))
    assert found is not None
    assert (found.seat, found.same, found.idle_s) == ("seat-1", True, 3)

    for answer, error in (
        (lambda _: http(b"", "403 Forbidden"), "password"),
        (lambda _: http(b"", "404 Not Found"), "old"),
        (lambda _: http(b"", "502 Bad Gateway"), "failed"),
        (lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n", "silent"),
        (lambda _: b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 10_000, "silent"),
        (lambda _: b"", "silent"),
        (lambda _: None, "silent"),
    ):
        told = looked(glances, tmp_path, [answer] * 9, 1)
        assert told[0] == {"seat": "seat-1", "error": error}
    assert glances.LARGEST * 4 / 3 < LONGEST_LINE


def test_a_seat_without_a_password_or_a_port_is_told_of(
    glances: ModuleType, tmp_path: Path
) -> None:
    assert glances.passwords(str(tmp_path / "none")) == {}
    (tmp_path / "odd").write_text('{"i-1": 7}')
    assert glances.passwords(str(tmp_path / "odd")) == {}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    seat = glances.Seat("seat-1", "127.0.0.1", "i-1", port, range(31000, 31400))
    assert asyncio.run(seat.look(None)) == {"error": "password"}
    assert asyncio.run(seat.look("look-on")) == {"error": "refused"}
