"""``"me"`` in ``[access]``: one public address, whatever the service that is asked answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Timer

import pytest

from roost.errors import RoostError
from roost.providers import my_address
from tests.serving import serving


@contextmanager
def service(write: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A service that answers so; where it is."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):  # whoever asked has read enough
                write(self)

        def log_message(self, *_: object) -> None:
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


def ask(monkeypatch: pytest.MonkeyPatch, write: Callable[[BaseHTTPRequestHandler], None]) -> str:
    monkeypatch.delenv(my_address.MY_ADDRESS, raising=False)
    with service(write) as address:
        monkeypatch.setattr(my_address, "WHO_AM_I", address)
        return my_address.my_address()


def saying(answer: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(answer)

    return write


@pytest.mark.parametrize("answer", [b"1.2.3.4\n", b"1.2.3.4", b" 1.2.3.4\r\n"])
def test_one_public_address_is_let_in(monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    assert ask(monkeypatch, saying(answer)) == "1.2.3.4/32"


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (b"0.0.0.0/0", "'0.0.0.0/0'"),
        (b"0.0.0.0", "0.0.0.0,"),
        (b"10.0.0.1", "10.0.0.1,"),
        (b"127.0.0.1", "127.0.0.1,"),
        (b"100.64.0.1", "100.64.0.1,"),
        (b"224.0.0.1", "224.0.0.1,"),
        (b"255.255.255.255", "255.255.255.255,"),
        (b"<html>", "'<html>'"),
        (b"\x1b[31m1.2.3.4", r"'\x1b[31m1.2.3.4'"),
        (b"\xff\xfe", "'\N{REPLACEMENT CHARACTER}"),
        (b"", "''"),
        (b"16909060", "'16909060'"),
        (b"2001:4860:4860::8888", "'2001:4860:4860::8888'"),
        (b"::/0", "'::/0'"),
        (b"203.0.113.7/8", "'203.0.113.7/8'"),
        (b"1.2.3.4/32", "'1.2.3.4/32'"),
        (b"1.2.3.4\n5.6.7.8\n", r"'1.2.3.4\n5.6.7.8'"),
        (b"1.2.3.4, 5.6.7.8", "'1.2.3.4, 5.6.7.8'"),
        (b"x" * 10_000_000, "'" + "x" * 60 + "'..."),
        (b"1.2.3.4\n" * 1_000_000, r"'1.2.3.4\n1.2.3.4"),
    ],
)
def test_nothing_else_is(monkeypatch: pytest.MonkeyPatch, answer: bytes, shown: str) -> None:
    with pytest.raises(RoostError) as caught:
        ask(monkeypatch, saying(answer))
    assert f"answered {shown}" in caught.value.what
    assert len(caught.value.what) < 400
    assert caught.value.what.isprintable()
    assert my_address.MY_ADDRESS in str(caught.value.next)


def test_no_more_than_its_start_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while len(written) < 10_000:
            handler.wfile.write(b"1" * 100_000)
            written.append(1)

    with pytest.raises(RoostError, match="not one IPv4 address"):
        ask(monkeypatch, endless)
    assert len(written) < 10_000


@pytest.mark.parametrize("headers", [True, False])
def test_a_service_that_answers_a_byte_at_a_time_is_given_up(
    monkeypatch: pytest.MonkeyPatch, headers: bool
) -> None:
    monkeypatch.setattr(my_address, "PATIENCE", 0.4)
    ended = Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        if headers:
            handler.send_response(200)
            handler.end_headers()
        while not ended.wait(0.05):
            handler.wfile.write(b"1")

    Timer(2, ended.set).start()
    with pytest.raises(RoostError, match=r"did not answer within 0\.4 s"):
        ask(monkeypatch, slow)


def test_what_is_no_http_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RoostError, match="did not answer: "):
        ask(monkeypatch, lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9.9\r\n") and None)
    with pytest.raises(RoostError, match=r"did not answer: .*500"):
        ask(monkeypatch, lambda handler: handler.send_error(500))


def test_what_the_user_sets_may_be_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, network in (("10.1.2.3", "10.1.2.3/32"), ("10.1.0.0/16", "10.1.0.0/16")):
        monkeypatch.setenv(my_address.MY_ADDRESS, text)
        assert my_address.my_address() == network
    monkeypatch.setenv(my_address.MY_ADDRESS, "home")
    with pytest.raises(RoostError, match="ROOST_MY_ADDRESS is 'home', which is no address"):
        my_address.my_address()
