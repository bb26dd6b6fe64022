"""A class rehearsed on the double of EC2: what it says, what it never touches, and what is left."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from jsonschema import Draft202012Validator

from roost.app import try_page
from roost.errors import UnreachableError
from roost.home import is_name
from roost.model.steps import Create, Step
from roost.providers.aws.cloud import AwsCloud
from roost.providers.aws.rights import AwsRights
from roost.providers.local.tls import create
from roost.spec import load
from roost.ssh.connection import Connection
from tests.aws.conftest import REGION, Account
from tests.aws.policies.gate import Gate
from tests.aws.strict import StrictEc2, Weather
from tests.aws.test_cli import ok
from tests.aws.test_cli import roost as on_aws
from tests.aws.test_gateway import machines
from tests.cli.calling import OUTPUTS, Roost
from tests.serving import serving

roost = on_aws
COURSE = """\
name = "course"
kind = "classroom"
cloud = "aws"
seats = 20
spares = 1
people = "people.csv"
[aws]
region = "eu-central-1"
[machine]
type = "g4dn.xlarge"
disk = "60GB"
[access]
https = ["192.0.2.0/24"]
reach = "jump"
[[volumes]]
name = "data"
size = "50GB"
"""
PEOPLE = "seat,name,email,ssh_key\n7,Ada Lovelace,ada@example.org,\n"
PASSWORD = "abcd-efgh-jkmn-pqrs"
LIMITS = {"G and VT": 96.0, "Standard": 8.0, "Elastic": 5.0, "Storage": 50.0}
LINES = ("card", "page", "wrong password", "right password", "screen", "deletion", "audit")


class Seat(BaseHTTPRequestHandler):
    """A seat's page behind its gateway; ``lets_in`` are the passwords that open it."""

    lets_in = frozenset({PASSWORD.replace("-", "")})
    screen = b"RFB 003.008\n"
    heard: list[str]

    def do_GET(self) -> None:
        if self.path == "/1/":
            self._answer(200, "text/html", b"<title>course</title>")
        elif self.path == "/1/key":
            word = self.headers.get("Authorization", "").removeprefix("Bearer ")
            self.heard.append(word)
            found = {"socket": "5ec2e7", "password": "vncvnc", "view": False}
            status = 200 if word in self.lets_in else 403
            self._answer(status, "application/json", json.dumps(found).encode())
        elif self.path == "/1/screen/5ec2e7" and self.headers["Upgrade"] == "websocket":
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.end_headers()
            self.wfile.write(bytes([0x82, len(self.screen)]) + self.screen)
        else:
            self._answer(404, "text/plain", b"")

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Seat]]:
    """The gateway's page: whatever connects to port 443 comes to it."""
    create(tmp_path / "tls")
    pem = (tmp_path / "tls" / "cert.pem").read_text()
    der = base64.b64decode("".join(pem.splitlines()[1:-1]))
    digest = hashlib.sha256(der).hexdigest().upper()
    print_ = ":".join(digest[at : at + 2] for at in range(0, 64, 2))
    handler = type("Here", (Seat,), {"heard": []})
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(tmp_path / "tls" / "cert.pem", tmp_path / "tls" / "key.pem")

    def asked(way: Connection, words: list[str], **_: Any) -> str:
        del words
        if way.node.name == "gateway":
            return f"sha256 Fingerprint={print_}\n"
        return json.dumps({"password": PASSWORD, "view_password": "view"}) + "\n\n"

    monkeypatch.setattr("roost.ssh.query.asked", asked)
    monkeypatch.setattr(try_page, "PATIENCE", 0)
    real = socket.create_connection
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        server.socket = secure.wrap_socket(server.socket, server_side=True)

        def connected(at: tuple[str, int], *more: Any, **named: Any) -> socket.socket:
            here = at[1] == 443
            return real(("127.0.0.1", server.server_port) if here else at, *more, **named)

        monkeypatch.setattr("socket.create_connection", connected)
        yield handler


@pytest.fixture
def file(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a class with people, in an account that has the limits above."""
    account.ec2.weather = Weather(delay=0)

    def limit(_: object, quota: Any) -> float | str:
        return next((n for word, n in LIMITS.items() if word in quota.title), "not told")

    for module in ("quotas", "volume_quotas"):
        monkeypatch.setattr(f"roost.providers.aws.{module}.limit_of", limit)
    monkeypatch.setattr("roost.providers.aws.doctor._images", lambda *_: ())  # moto has none
    path = tmp_path / "course.toml"
    path.write_text(COURSE)
    (tmp_path / "people.csv").write_text(PEOPLE)
    return path


@pytest.fixture
def limited(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user has the policy that `roost iam FILE` prints for the class, and no other right."""
    found = AwsRights().of_user(load(file), None).policy
    gate = Gate(found, boto3.client("ec2", region_name=REGION))
    install = StrictEc2.install
    monkeypatch.setattr(StrictEc2, "install", lambda self, one: gate.install(install(self, one)))


@pytest.mark.usefixtures("limited")
def test_one_seat_is_tried_and_gone_and_the_sums_are_right(
    roost: Roost,
    account: Account,
    file: Path,
    page: type[Seat],
    tmp_path: Path,
) -> None:
    kept = tmp_path / "report.txt"
    words = ("rehearse", file, "--hours", "8", "--days", "2", "--report", kept, "--yes")
    told = roost(*words, "--json")
    assert told.code == 0, told.err
    schema = json.loads((OUTPUTS / "rehearse.schema.json").read_text())
    Draft202012Validator(schema).validate(told.json)
    report = told.json
    assert (report["class"], report["name"]) == ("course", "course-rehearsal")
    assert (report["ok"], report["left"], report["problem"]) == (True, [], None)
    assert [one["what"] for one in report["tried"]] == ["machines", "set-up", *LINES]
    assert {one["verdict"] for one in report["tried"]} == {"ok"}
    assert page.heard == ["a" * 16, PASSWORD.replace("-", "")]
    # 20 seats and a spare of 4 vCPUs, and a gateway of 2; one Elastic IP; 21 x 110 and 10 GiB.
    quotas = {one["text"]: one["verdict"] for one in report["checks"] if one["check"] == "quota"}
    assert [text for text in quotas if "G and VT" in text] == [
        "Running On-Demand G and VT instances: needs 84 vCPUs, 0 of 96 are in use"
    ]
    assert any("needs 2 vCPUs, 0 of 8" in text for text in quotas)
    assert any("needs 1 addresses, 0 of 5" in text for text in quotas)
    assert any("(gp3) volumes: needs 2.27 TiB, 0.00 of 50" in text for text in quotas)
    # By hand, from the price list of eu-central-1: a g4dn.xlarge is 0.658 an hour, the gateway's
    # t3a.small 0.0216 and 1.6 vCPUs at 0.05 at full load, gp3 0.0952 a GB and month of 730 hours,
    # and each of 22 addresses 0.005. Disks: 21 x (60 + 50) + 10 GB.
    gateway, disks = 0.0216 + 1.6 * 0.05, (21 * 110 + 10) * 0.0952 / 730
    hour = 21 * 0.658 + gateway + disks + 22 * 0.005
    course = 16 * (21 * 0.658 + gateway) + 48 * disks + 48 * 0.005 + 16 * 21 * 0.005
    assert report["price"]["per_hour"]["usd"] == pytest.approx(hour, abs=1e-6)
    assert report["price"]["use"]["usd"] == pytest.approx(course, abs=1e-6)
    assert round(course, 2) == 239.16
    assert any(f"a seat: at most ${course / 20:.2f}" in note for note in report["price"]["notes"])
    # What was made has another name, and nobody's of the table.
    asked = str(account.ec2.asked)
    assert "course-rehearsal" in asked
    assert "Lovelace" not in asked
    assert account.left() == {}
    text = kept.read_text()
    assert "Rehearsal of course: 20 seats and 1 spare, behind a gateway" in text
    assert "needs 84 vCPUs, 0 of 96 are in use" in text
    assert "$239.16" in text
    assert "Nothing is left." in text
    assert PASSWORD not in text + told.out + told.err


@pytest.mark.slow
def test_it_asks_with_the_price_and_leaves_the_class_alone(
    roost: Roost, account: Account, file: Path, page: type[Seat]
) -> None:
    ok(roost("up", file, "--yes"))
    before = {name: one["InstanceId"] for name, one in machines(account).items()}
    told = roost("rehearse", file, "--no-input")
    assert (told.code, told.out) == (4, "")
    # One g4dn.xlarge with 110 GB, the gateway with 10 GB, and two addresses.
    assert "it costs at most $0.7852 an hour" in told.err
    told = roost("rehearse", file, "--yes")
    assert told.code == 0, told.err
    assert "needs 84" not in told.out  # the class runs already: it needs no more
    assert {name: one["InstanceId"] for name, one in machines(account).items()} == before
    assert page.heard[-1] == PASSWORD.replace("-", "")


def broken_set_up(patch: pytest.MonkeyPatch, page: type[Seat]) -> str:
    del page

    def fails(*_: object) -> dict[str, Any]:
        raise UnreachableError("seat-1 does not answer")

    patch.setattr("roost.provision.deliver.hand_over", fails)
    return "seat-1 does not answer"


def any_password(patch: pytest.MonkeyPatch, page: type[Seat]) -> str:
    patch.setattr(page, "lets_in", page.lets_in | {"a" * 16})
    return "a wrong password opens the desktop"


def no_password(patch: pytest.MonkeyPatch, page: type[Seat]) -> str:
    patch.setattr(page, "lets_in", frozenset())
    return "the password on the card does not open the desktop"


def no_screen(patch: pytest.MonkeyPatch, page: type[Seat]) -> str:
    patch.setattr(page, "screen", b"nothing here")
    return "shows no screen"


def another_certificate(patch: pytest.MonkeyPatch, page: type[Seat]) -> str:
    del page
    patch.setattr("roost.app.handout._of_gateway", lambda *_: ":".join(["AB"] * 32))
    return "is not the one on its card"


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong", [broken_set_up, any_password, no_password, no_screen, another_certificate]
)
def test_whatever_is_wrong_is_reported_and_nothing_stays(
    wrong: Callable[[pytest.MonkeyPatch, type[Seat]], str],
    roost: Roost,
    account: Account,
    file: Path,
    page: type[Seat],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    what = wrong(monkeypatch, page)
    told = roost("rehearse", file, "--yes", "--json")
    assert told.code == 1, told.err
    assert what in told.json["problem"]
    assert (told.json["ok"], told.json["left"]) == (False, [])
    assert what in told.err
    assert account.left() == {}
    if wrong is another_certificate:
        assert page.heard == []  # nobody's password goes to another machine


@pytest.mark.slow
def test_too_small_a_quota_for_all_seats_ends_with_5(
    roost: Roost, account: Account, file: Path, page: type[Seat], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LIMITS, "G and VT", 16.0)
    told = roost("rehearse", file, "--yes")
    assert told.code == 5
    assert "one seat is well, and all of course would not be" in told.err
    assert "needs 84 vCPUs, 0 of 16 are in use" in told.err
    assert page.heard
    assert account.left() == {}


def interrupt(*_: object, **__: object) -> Any:
    raise KeyboardInterrupt


def test_ctrl_c_deletes_it(
    roost: Roost, account: Account, file: Path, page: type[Seat], monkeypatch: pytest.MonkeyPatch
) -> None:
    del page
    monkeypatch.setattr("roost.app.try_page.Door.wait", interrupt)
    told = roost("rehearse", file, "--yes", "--json")
    assert (told.code, told.json["interrupted"], account.left()) == (130, True, {})


@pytest.mark.slow
def test_ctrl_c_right_after_the_launch_and_a_second_one(
    roost: Roost, account: Account, file: Path, page: type[Seat], monkeypatch: pytest.MonkeyPatch
) -> None:
    del page
    monkeypatch.setattr("roost.app.try_page.Door.wait", interrupt)
    # Right after the launch EC2 does not show the machines to a process that did not make them.
    account.ec2.weather = Weather(delay=1, blind=3)
    apply = AwsCloud.apply

    def interrupted(self: AwsCloud, name: str, step: Step) -> None:
        apply(self, name, step)
        if isinstance(step, Create) and step.kind == "instance":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(AwsCloud, "apply", interrupted)
        assert roost("rehearse", file, "--yes").code == 130
    account.settle()
    assert account.left() == {}
    account.ec2.weather = Weather(delay=0)
    removal = "roost down course-rehearsal --delete-data course-rehearsal"
    with monkeypatch.context() as patch:
        patch.setattr("roost.app.down.down_in", interrupt)
        told = roost("rehearse", file, "--yes")
    assert told.code == 130
    assert f"course-rehearsal may still exist, and cost: {removal}" in told.err
    assert len(machines(account)) == 2
    # The same again deletes it first; a file that has changed may be another class's.
    told = roost("rehearse", file, "--no-input")
    assert (told.code, "a rehearsal that still runs, or that was cut off" in told.err) == (4, True)
    file.write_text(COURSE.replace("60GB", "70GB"))
    told = roost("rehearse", file, "--yes")
    assert (told.code, "not of this file" in told.err, removal in told.err) == (1, True, True)
    assert len(machines(account)) == 2
    file.write_text(COURSE)
    told = roost("rehearse", file, "--yes")
    assert told.code == 130, told.err  # the page interrupts it still
    assert account.left() == {}


@pytest.mark.slow
def test_what_cannot_be_deleted_is_said_with_its_price(
    roost: Roost, account: Account, file: Path, page: type[Seat]
) -> None:
    del page
    account.ec2.weather = Weather(delay=0, refuse={"TerminateInstances": "UnauthorizedOperation"})
    told = roost("rehearse", file, "--yes", "--json")
    assert told.code == 5, told.err
    assert told.json["left"]
    assert "it costs " in told.err
    assert "next: roost down course-rehearsal --delete-data course-rehearsal" in told.err


def test_what_is_no_class_is_refused(roost: Roost, file: Path) -> None:
    told = roost("rehearse", "examples/pixinsight.toml")
    assert (told.code, "is no class" in told.err) == (2, True)
    for name in ("a" * 30, f"{'b' * 19}-{'c' * 10}"):
        file.write_text(COURSE.replace('"course"', f'"{name}"'))
        assert is_name(load(file).rehearsal)  # type: ignore[union-attr]
    file.write_text(COURSE.replace("https = [", 'https = ["here", '))
    assert roost("rehearse", file).code == 2
