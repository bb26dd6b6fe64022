"""A class, end to end: cards, a student's way from a card's code, and what a trainer does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from roost.ssh.pages import PASSWORDS
from tests.bench.bench import Bench, Roost, wait_for
from tests.bench.seats import spec
from tests.bench.test_desktop import PATIENCE, browser, seen

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import Browser

__all__ = ["browser"]
pytestmark = [
    pytest.mark.bench,
    pytest.mark.by_turns,
    pytest.mark.browser,
    pytest.mark.timeout(2400),
    pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium on the PATH"),
]
ROOM = """\
name = "room"
kind = "classroom"
cloud = "aws"
seats = 3
spares = 1
people = "people.csv"
timezone = "Europe/Berlin"

[aws]
region = "{region}"

[machine]
type = "t3.medium"
image = "debian-12"
disk = "10GB"

[access]
ssh = ["{caller}"]
https = ["{caller}"]
address = "fixed"

[[volumes]]
name = "data"
size = "1GB"

[env]
COURSE = "cryo EM"

[[setup]]
run = "install -m 0755 hello.sh /usr/local/bin/hello-course"
files = ["hello.sh"]

[[setup]]
run = "mkdir -p ~/Desktop/results && echo $COURSE > ~/Desktop/results/course"
as = "user"
"""
PEOPLE = "seat,name,email\n1,Ada,\n2,Grace,grace@example.org\n"


def passwords(roost: Roost) -> dict[str, str]:
    """Of each seat, as `roost open` prints it."""
    seats = [f"seat-{number}" for number in range(1, 5)]
    return {seat: roost("open", f"room/{seat}", "--json").ok().json["password"] for seat in seats}


def test_a_class_lives_from_up_to_down(
    bench: Bench, roost: Roost, browser: Browser, tmp_path: Path
) -> None:
    from PIL import Image
    from zxingcpp import read_barcodes

    file = roost.file(spec(bench, ROOM))
    (file.parent / "people.csv").write_text(PEOPLE)
    (file.parent / "hello.sh").write_text("#!/bin/sh\necho hello $COURSE\n")
    told = roost("up", file, "--yes").ok()
    assert "4 seats" in told.err
    before = passwords(roost)
    assert len(set(before.values())) == 4

    # [env] and [[setup]]: in every login, as root and as the user.
    said = roost("run", "room", "--", "hello-course; cat ~/Desktop/results/course").ok()
    assert sorted(said.out.splitlines()) == sorted(
        f"seat-{n}: {text}" for n in range(1, 5) for text in ("hello cryo EM", "cryo EM")
    )

    # From the card's code, read from the picture, to the desktop.
    cards = tmp_path / "cards.html"
    roost("handout", "room", "-o", cards, "--begin", "2027-03-11 09:00").ok()
    assert "Grace" in cards.read_text()
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(cards.as_uri())
    page.screenshot(path=tmp_path / "cards.png", full_page=True)
    links = {one.text for one in read_barcodes(Image.open(tmp_path / "cards.png"))}
    assert {link.partition("#")[2] for link in links} == {before[f"seat-{n}"] for n in range(1, 4)}
    page.close()
    second = next(link for link in links if link.endswith(before["seat-2"]))
    student = browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 800})
    desktop = student.new_page()
    desktop.goto(second)
    seen(desktop)
    assert "#" not in desktop.url

    roost("message", "room", "Back at 2 <b>pm</b>", "--seat", "2").ok()
    desktop.wait_for_timeout(2000)
    desktop.screenshot(path=tmp_path / "message.png")
    machine = bench.machine("room", "seat-2")
    assert machine.run("pgrep", "-f", "xfce4-notifyd").code == 0

    roost("run", "room/seat-2", "--", "echo mine > /data/result; touch ~/gone").ok()
    (tmp_path / "slides.txt").write_text("slides")
    roost("cp", tmp_path / "slides.txt", "room/seats:Desktop/").ok()
    assert roost("run", "room", "--", "cat ~/Desktop/slides.txt").ok().out.count("slides") == 4
    results = tmp_path / "results"
    roost("collect", "room", results).ok()
    assert (results / "seat-2" / "result").read_text() == "mine\n"
    roost("extend", "room/seat-3", "1h").ok()

    # A new disk behind the same address, with the same password, certificate and data.
    crt = "sha256sum < /etc/roost/secrets/desktop.crt"
    certificate = machine.shell(crt).ok().out
    roost("reset", "room/seat-2", "--yes").ok()
    again = bench.machine("room", "seat-2")
    assert json.loads(again.run("cat", PASSWORDS).ok().out)["password"] == before["seat-2"]
    assert again.shell(crt).ok().out == certificate
    assert roost("run", "room/seat-2", "--", "cat /data/result").ok().out == "mine\n"
    assert roost("run", "room/seat-2", "--", "test -e ~/gone").code == 1
    desktop.goto("about:blank")
    desktop.goto(second)
    desktop.locator("#screen canvas").wait_for(timeout=PATIENCE)
    wait_for(lambda: passwords(roost) == before, 60, "all passwords are as they were")

    # One seat is off: it is named, and keeps no other from what is asked.
    roost("stop", "room/seat-1").ok()
    partly = roost("run", "room", "--", "true")
    assert partly.code == 3
    assert "seat-1" in partly.err
    roost("start", "room/seat-1").ok()
    roost("run", "room", "--", "true").ok()

    roost("down", "room", "--yes", "--delete-data", "room").ok()
    assert bench.left() == {}
