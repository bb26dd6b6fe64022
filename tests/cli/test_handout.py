"""The cards of a class: what is on them, who can read them, and what they look like on paper."""

import csv
import io
import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roost.errors import UnreachableError
from roost.ssh import query
from roost.ssh.connection import Connection
from tests.cli.calling import Roost
from tests.cli.full import Full, done

CHROMIUM = shutil.which("chromium")
ROOM = """\
name = "room"
kind = "classroom"
cloud = "aws"
seats = 4
spares = 1
people = "people.csv"
timezone = "Europe/Berlin"
[aws]
region = "us-east-1"
[machine]
cpus = 2
[access]
https = ["anywhere"]
address = "fixed"
[schedule]
end = 2027-03-12T17:00:00Z
[[volumes]]
name = "data"
size = "10GB"
"""
PEOPLE = (
    "seat,name,email\n1,Ada <b>Lovelace</b>,ada@example.org\n2,=1+1,\n"
    "3,Dr. Maximiliane von und zu Hohenlohe-Waldenburg-Schillingsfürst,\n"
)
PRINT = ":".join(["AB"] * 32)


def password(number: int) -> str:
    return f"abcd-efgh-jkm{number + 1}-pqrs"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Each seat tells its passwords and its certificate; the names of those that are asked, as
    root, and ``"broken"``, by which one does not answer.
    """
    seen: set[str] = set()

    def answer(way: Connection, words: list[str], **_: Any) -> str:
        seen.add(way.node.name)
        assert words[:4] == ["sudo", "-n", "sh", "-c"]
        if way.node.name in seen & {"broken", "seat-3"} and "broken" in seen:
            raise UnreachableError("seat-3 does not answer")
        number = int(way.node.name.removeprefix("seat-"))
        found = {"password": password(number), "view_password": "view-view-view-view"}
        return f"{json.dumps(found, indent=1)}\n\nsha256 Fingerprint={PRINT}\n"

    monkeypatch.setattr("roost.ssh.query.asked", answer)
    return seen


@pytest.fixture
def room(cloud: Full, roost: Roost, write: Callable[..., Path], asked: set[str]) -> Path:
    """A class of four, and a spare, that runs; the folder for what is written."""
    file = write(ROOM)
    (file.parent / "people.csv").write_text(PEOPLE)
    done(roost("up", file, "--yes"))
    del cloud, asked
    return file.parent


def test_a_card_for_each_seat_and_a_list_for_the_trainer(roost: Roost, room: Path) -> None:
    file = room / "cards.html"
    told = roost("handout", "room", "-o", file, "--begin", "2027-03-11 09:00", "--json")
    assert told.code == 0, told.err
    assert "note:" not in told.err
    seats = [f"seat-{number}" for number in range(1, 6)]
    assert told.json == {
        "name": "room",
        "files": [str(file), str(file.with_suffix(".csv"))],
        "seats": seats,
    }
    for written in (file, file.with_suffix(".csv")):
        assert stat.S_IMODE(written.stat().st_mode) == 0o600
    text = file.read_text()
    assert text.count('<section class="card"') == 4  # nobody has the spare one yet
    assert text.count("<svg") == 4
    for number in range(1, 5):
        assert text.count(password(number)) == 2  # on the card and in the list
    assert "Thursday 11 March 2027, 09:00 (CET)" in text
    assert "Friday 12 March 2027, 18:00 (CET)" in text  # 17:00 UTC, where the class is
    assert "Ada &lt;b&gt;Lovelace&lt;/b&gt;" in text
    assert PRINT in text
    assert "<code>/data</code>" in text
    assert "http" not in text.replace("https://192.0.2.7/", "").replace("http://www.w3.org", "")
    rows = list(csv.DictReader(io.StringIO(file.with_suffix(".csv").read_text())))
    assert [row["name"] for row in rows[:2]] == ["Ada <b>Lovelace</b>", "'=1+1"]
    assert rows[0]["address"] == "https://192.0.2.7/"
    assert [row["password"] for row in rows] == [password(n) for n in range(1, 6)]


def test_some_seats_again_and_what_is_wrong(
    roost: Roost, room: Path, asked: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(room)
    before = len(asked)
    told = done(roost("handout", "room", "2", "seat-4", "2"))
    assert "2 seats" in told
    assert (room / "room-handout.html").read_text().count('class="card"') == 2
    assert len(asked) == before + 2
    roost("stop", "room/seat-4")
    asked.add("broken")
    told = roost("handout", "room")
    assert told.code == 3
    assert "seat-3 does not answer; seat-4 of room cannot be reached" in told.err
    assert "next: roost handout room 3 4" in told.err
    assert (room / "room-handout.html").read_text().count('class="card"') == 2
    assert "No card: seat-3, seat-4." in (room / "room-handout.html").read_text()
    for words, text in (
        (("room", "9"), "its seats are 1 to 5"),
        (("room", "--begin", "tomorrow"), '"tomorrow" is no time'),
    ):
        told = roost("handout", *words)
        assert (told.code, text in told.err) == (2, True), told.err


def test_without_https_a_card_has_the_way_by_ssh_and_no_code(
    cloud: Full, roost: Roost, write: Callable[..., Path], asked: set[str], tmp_path: Path
) -> None:
    del cloud, asked
    file = write(ROOM.replace('https = ["anywhere"]', "").replace('people = "people.csv"\n', ""))
    done(roost("up", file, "--yes"))
    told = done(roost("handout", "room", "1", "-o", tmp_path / "one.html"))
    assert "the file opens the page to nobody" in told
    text = (tmp_path / "one.html").read_text()
    assert "ssh -N -L 6080:127.0.0.1:6080 ubuntu@192.0.2.7" in text
    assert "http://127.0.0.1:6080/" in text
    assert "<svg" not in text
    assert PRINT not in text  # the tunnel proves who is who


def test_behind_a_gateway_all_have_one_host_and_one_certificate(
    cloud: Full,
    roost: Roost,
    write: Callable[..., Path],
    asked: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del cloud
    gate = ":".join(["CD"] * 32)

    def answer(way: Connection, words: list[str], **rest: Any) -> str:
        if way.node.name == "gateway":
            return f"sha256 Fingerprint={gate}\n"
        return of_seats(way, words, **rest)

    of_seats = query.asked
    monkeypatch.setattr("roost.ssh.query.asked", answer)
    behind = ROOM.replace('address = "fixed"', 'reach = "jump"').replace("people =", "# people =")
    for host, address in (("", "192.0.2.7"), ('host = "class.example.org"\n', "class.example.org")):
        file = write(behind.replace("[schedule]", f"{host}[schedule]"))
        done(roost("up", file, "--yes"))
        cards = file.parent / "cards.html"
        told = done(roost("handout", "room", "-o", cards))
        assert "note:" not in told
        text = cards.read_text()
        assert PRINT not in text  # no browser sees it
        assert (gate in text, "A warning" in text) == ((not host,) * 2)
        rows = list(csv.DictReader(io.StringIO(cards.with_suffix(".csv").read_text())))
        assert [row["address"] for row in rows] == [f"https://{address}/{n}/" for n in range(1, 6)]
    assert asked == {f"seat-{n}" for n in range(1, 6)}


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH")
def test_it_prints_two_a_page_and_a_camera_reads_the_code(roost: Roost, room: Path) -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    from PIL import Image
    from playwright.sync_api import sync_playwright
    from zxingcpp import read_barcodes

    file = room / "cards.html"
    done(roost("handout", "room", "-o", file, "--begin", "2027-03-11 09:00"))
    picture, paper = room / "cards.png", room / "cards.pdf"
    asked_for: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM)
        for width in (1440, 390):
            page = browser.new_page(viewport={"width": width, "height": 900})
            page.on("request", lambda request: asked_for.append(request.url))
            page.goto(file.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.screenshot(path=picture if width > 400 else room / "phone.png", full_page=True)
        boxes = page.evaluate(
            "[...document.querySelectorAll('.card')].every(c => c.scrollHeight <= c.clientHeight)"
        )
        assert boxes
        page.emulate_media(media="print")
        for name in ("A4", "Letter"):
            page.pdf(path=paper, format=name, prefer_css_page_size=False)
            assert paper.read_bytes().count(b"/Type /Page\n") == 3, name
        browser.close()
    assert {url for url in asked_for if not url.startswith(("file:", "data:"))} == set()
    links = {found.text for found in read_barcodes(Image.open(picture))}
    assert links == {f"https://192.0.2.7/#{password(number)}" for number in range(1, 5)}
