"""Downloads over sockets: TLS, signatures, connections that end, and what is left to awscrt."""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.transfer.s3.client import S3Client
from roost.transfer.s3.config import Keys, Where
from roost.transfer.s3.failures import StoreError
from roost.transfer.s3.reply import query_text
from roost.transfer.s3.signing import signed
from roost.transfer.s3.wire import Connection, Wire, WireError
from tests.cli.calling import Roost
from tests.transfer.conftest import tree
from tests.transfer.hostile_s3 import Answer, Handler, Hostile, Request, error, hostile

BIG = os.urandom(9 * 2**20 + 5)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of this computer, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    cert, private = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert, private


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hostile]:
    monkeypatch.setenv("ROOST_HOME", str(tmp_path / "home"))
    with hostile() as server:
        for key, value in server.env().items():
            monkeypatch.setenv(key, value)
        server.put({"p/a": b"small", "p/big": BIG, "p/empty": b""})
        yield server


WHOLE = {"a": b"small", "big": BIG, "empty": b""}


def only_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects do not come in any other way."""
    real = S3Client.call

    def call(self: S3Client, operation: str, *args: object, **more: object) -> object:
        assert operation != "GetObject"
        return real(self, operation, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(S3Client, "call", call)
    monkeypatch.delattr(S3Client, "fetch")


def test_objects_come_through_tls(
    tmp_path: Path, s3: Hostile, roost: Roost, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    s3.socket = context.wrap_socket(s3.socket, server_side=True)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint.replace("http:", "https:"))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(cert))
    only_sockets(monkeypatch)
    told = roost("sync", "s3://bucket/p", tmp_path / "back")
    assert told.code == 0, told.err
    assert tree(tmp_path / "back") == WHOLE


def test_a_service_that_nobody_vouches_for_is_not_asked(tmp_path: Path, s3: Hostile) -> None:
    cert, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    s3.socket = context.wrap_socket(s3.socket, server_side=True)
    where = Where("us-east-1", s3.endpoint.replace("http:", "https:"), Keys("a", "b"))
    wire = Wire(f"127.0.0.1:{s3.server_address[1]}", "/bucket", where, lambda: where.keys)
    with pytest.raises(WireError, match="CERTIFICATE_VERIFY_FAILED"):
        wire.get("p/a", {})
    assert s3.log == []


@pytest.mark.parametrize(
    "query", [{}, {"prefix": "a b/+", "list-type": "2", "encoding-type": "url"}]
)
@pytest.mark.parametrize("token", [None, "a token/+="])
def test_the_signature_is_amazons(token: str | None, query: dict[str, str]) -> None:
    keys = Keys("ACCESS", "secret/+", token)
    headers = {"host": "bucket.s3.eu-west-1.amazonaws.com", "x-amz-request-payer": "requester"}
    path, stamp = "/a%20b/%C3%A9~-_.%2B", "20261126T080000Z"
    asked = query_text(query)
    ours = signed(path, headers, keys, "eu-west-1", stamp, asked)
    url = f"https://{headers['host']}{path}?{asked}"
    request = AWSRequest("GET", url, headers=dict(headers))
    theirs = S3SigV4Auth(Credentials(keys.access, keys.secret, token), "s3", "eu-west-1")
    request.context = {"timestamp": stamp, "payload_signing_enabled": True}
    if token:
        request.headers["X-Amz-Security-Token"] = token
    request.headers["X-Amz-Content-SHA256"] = ours["x-amz-content-sha256"]
    request.headers["X-Amz-Date"] = stamp
    canonical = theirs.canonical_request(request)
    expected = theirs.signature(theirs.string_to_sign(request, canonical), request)
    assert ours["authorization"].endswith(f"Signature={expected}")


def test_connections_that_the_server_ends_are_made_again(
    tmp_path: Path, s3: Hostile, roost: Roost, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put({f"p/f{number:03d}": b"%d" % number for number in range(100)})
    only_sockets(monkeypatch)
    s3.after = lambda request, answer: Answer(
        answer.status, answer.body, {**answer.headers, "Connection": "close"}
    )
    told = roost("sync", "s3://bucket/p", tmp_path / "back")
    assert told.code == 0, told.err
    assert len(tree(tmp_path / "back")) == 103


@pytest.mark.parametrize("how", ["whole", "busy"])
def test_ranges_that_are_not_given_come_in_another_way(
    tmp_path: Path, s3: Hostile, roost: Roost, how: str
) -> None:
    refused: list[Request] = []

    def before(request: Request) -> Answer | None:
        if request.key != "p/big" or "range" not in request.headers:
            return None
        if how == "busy" and len(refused) < 3:
            refused.append(request)
            return error(503, "SlowDown")
        return Answer(200, BIG, s3.objects["p/big"].headers()) if how == "whole" else None

    s3.before = before
    told = roost("sync", "s3://bucket/p", tmp_path / "back")
    assert told.code == 0, told.err
    assert tree(tmp_path / "back") == WHOLE


@pytest.mark.parametrize("cut", [0, 10, 2**20 + 7])
def test_a_range_that_is_cut_short_goes_on(
    tmp_path: Path, s3: Hostile, roost: Roost, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    cuts: list[str] = []

    def after(request: Request, answer: Answer) -> Answer:
        if request.key == "p/big" and "range" in request.headers and len(cuts) < 4:
            cuts.append(request.headers["range"])
            size = {"Content-Length": str(len(answer.body)), "Connection": "close"}
            return Answer(answer.status, answer.body[:cut], {**answer.headers, **size})
        return answer

    s3.after = after
    only_sockets(monkeypatch)
    told = roost("sync", "s3://bucket/p", tmp_path / "back")
    assert told.code == 0, told.err
    assert tree(tmp_path / "back") == WHOLE
    assert len(cuts) == 4


def test_a_large_object_that_changes_meanwhile_is_named(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    def before(request: Request) -> None:
        if request.key == "p/big" and request.method == "GET":
            s3.put({"p/big": os.urandom(len(BIG))})

    s3.before = before
    told = roost("sync", "s3://bucket/p", tmp_path / "back", "--json")
    assert told.code == 3
    assert [one["name"] for one in told.json["failed"]] == ["big"]
    assert set(tree(tmp_path / "back")) - {"a", "empty"} <= {
        one for one in tree(tmp_path / "back") if one.endswith(".roost-part")
    }


def test_who_has_no_credentials_hears_of_it() -> None:
    where = Where("us-east-1", "http://127.0.0.1:9")

    def nobody() -> Keys | None:
        raise StoreError("GetCredentials", "", "NoCredentials")

    with pytest.raises(StoreError, match="NoCredentials"):
        Wire("127.0.0.1:9", "/b", where, nobody).get("k", {})


@pytest.mark.parametrize(
    ("name", "value", "usable"),
    [("http_proxy", "http://proxy:1", False), ("no_proxy", "127.0.0.1", True), ("x", "y", True)],
)
def test_a_proxy_is_left_to_amazons_client(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, usable: bool
) -> None:
    for one in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(one, raising=False)
        monkeypatch.delenv(one.upper(), raising=False)
    if name == "no_proxy":
        monkeypatch.setenv("http_proxy", "http://proxy:1")
    monkeypatch.setenv(name, value)
    where = Where("us-east-1", "http://127.0.0.1:9", Keys("a", "b"))
    assert Wire("127.0.0.1:9", "/b", where, lambda: where.keys).usable is usable


# --- listings ------------------------------------------------------------------------------------


def chunked(body: bytes, sizes: list[int]) -> bytes:
    """A body as a server sends it that does not know its length."""
    made, left = b"", body
    for size in sizes:
        piece, left = left[:size], left[size:]
        made += b"%x;odd=1\r\n%b\r\n" % (len(piece), piece) if piece else b""
    made += b"%X\r\n%b\r\n" % (len(left), left) if left else b""
    return made + b"0\r\nx-trailer: 1\r\n\r\n"


def received(raw: bytes, cuts: list[int]) -> bytes:
    """What is read of bytes that arrive in pieces, with another answer after them."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sent = raw + b"HTTP/1.1"

        def send() -> None:
            at = 0
            for cut in sorted({min(cut, len(sent)) for cut in cuts} | {len(sent)}):
                theirs.sendall(sent[at:cut])
                at = cut
            theirs.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        connection = Connection(ours, tls=False)
        try:
            body = connection.read_chunks()
        finally:
            sender.join()
        rest = bytearray(8)
        connection.read_into(memoryview(rest))
        assert rest == b"HTTP/1.1"
        return body


@settings(max_examples=60, deadline=None)
@given(
    body=st.binary(max_size=200) | st.just(os.urandom(3 * 2**16)),
    sizes=st.lists(st.integers(1, 2**17), max_size=4),
    cuts=st.lists(st.integers(0, 2**18), max_size=6),
)
def test_a_body_in_chunks_is_read_to_its_end(
    body: bytes, sizes: list[int], cuts: list[int]
) -> None:
    assert received(chunked(body, sizes), cuts) == body


def test_chunks_that_are_none_are_no_answer() -> None:
    wrong = [b"", b"\r\n", b"-5\r\n", b"0x5\r\nabcde\r\n", b"5\r\nabcdef\r\n", b"5\r\nab"]
    wrong += [b"ffffffff\r\n", b"fffffffff\r\n", b"5" * 70_000, b"1_0\r\n"]
    for raw in wrong:
        with pytest.raises((ValueError, ConnectionError)):
            received(raw, [])


def test_pages_come_in_chunks_and_what_is_odd_is_asked_again(
    tmp_path: Path, s3: Hostile, roost: Roost, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.page, send = 1, Handler.send_answer

    def chunks(self: Handler, answer: Answer) -> None:
        if answer.status != 200 or not self.path.startswith("/bucket/?"):
            return send(self, answer)
        body = chunked(answer.body, [1, 100])
        odd = "User-Agent" not in self.headers and "continuation-token" in self.path
        body = body[: len(body) // 2] if odd else body
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
        self.close_connection = odd
        asked_again.append(odd)
        return None

    asked_again: list[bool] = []
    monkeypatch.setattr(Handler, "send_answer", chunks)
    told = roost("sync", "s3://bucket/p", tmp_path / "back")
    assert told.code == 0, told.err
    assert tree(tmp_path / "back") == WHOLE
    assert True in asked_again
