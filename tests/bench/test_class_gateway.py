"""A class behind one gateway: a student's way by port 443, a seat that dies, and its spare."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from tests.bench.bench import Bench, Roost
from tests.bench.seats import spec
from tests.bench.test_class import ROOM
from tests.bench.test_desktop import PATIENCE, browser, seen

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import Browser

__all__ = ["browser"]
pytestmark = [
    pytest.mark.bench,
    pytest.mark.browser,
    pytest.mark.timeout(2400),
    pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium on the PATH"),
]
BEHIND = (
    ROOM.partition("[[volumes]]")[0]
    .replace('people = "people.csv"\n', "")
    .replace("seats = 3", "seats = 2")
    .replace('address = "fixed"', 'reach = "jump"')
)


def is_open(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(3)
        return probe.connect_ex((address, port)) == 0


def test_a_spare_is_behind_the_same_address_with_the_same_password(
    bench: Bench, roost: Roost, browser: Browser, tmp_path: Path
) -> None:
    from PIL import Image
    from zxingcpp import read_barcodes

    file = roost.file(spec(bench, BEHIND))
    roost("up", file, "--yes").ok()
    shown = {i["name"]: i for i in roost("show", "room", "--json").ok().json["instances"]}
    assert is_open(shown["gateway"]["address"], 443)
    assert not any(is_open(shown[f"seat-{n}"]["address"], 443) for n in (1, 2, 3))

    cards = tmp_path / "cards.html"
    roost("handout", "room", "-o", cards).ok()
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(cards.as_uri())
    page.screenshot(path=tmp_path / "cards.png", full_page=True)
    links = sorted(one.text for one in read_barcodes(Image.open(tmp_path / "cards.png")))
    page.close()
    host = f"https://{shown['gateway']['address']}"
    assert [link.partition("#")[0] for link in links] == [f"{host}/1/", f"{host}/2/"]

    student = browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 800})
    desktop = student.new_page()
    desktop.goto(links[1])
    seen(desktop)
    assert desktop.url == f"{host}/2/"

    gone = bench.machine("room", "seat-2")
    gone.shell("systemctl stop ssh roost-desktop-page").ok()
    roost("swap", "room/seat-2", "--yes").ok()
    assert bench.machine("room", "seat-2").id != gone.id
    desktop.goto("about:blank")
    desktop.goto(links[1])
    desktop.locator("#screen canvas").wait_for(timeout=PATIENCE)
    seen(desktop)
    desktop.screenshot(path=tmp_path / "after.png")
    assert gone.run("true").code == 0  # it is kept, as seat-3

    roost("down", "room", "--yes").ok()
    assert bench.left() == {}
