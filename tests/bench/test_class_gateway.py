"""A class behind one gateway: a student's way by port 443, a seat that dies, and its spare."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bench.bench import Bench, Roost, wait_for
from tests.bench.seats import spec
from tests.bench.test_class import ROOM
from tests.bench.test_desktop import PATIENCE, browser, seen

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import Browser, Page

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
    + "[schedule]\nend = 2099-07-01T18:00:00Z\n"
)

LOOKS = "ss -Htn state established '( sport = :443 )' | grep -o '[0-9]*$'"
BOOT = "cat /proc/sys/kernel/random/boot_id"
AS_ONLOOKER = """python3 -c 'import json, urllib.request as web
key = json.load(open("/etc/roost/secrets/desktop.json"))["view_password"].replace("-", "")
there = "http://127.0.0.1:6080/restart"
web.urlopen(web.Request(there, b"", {"Authorization": f"Bearer {key}"}))'"""
ASK = """python3 -c 'import socket
s = socket.socket(socket.AF_UNIX); s.connect("/run/roost-desktop-glance")
s.sendall(b"GET /glance?0 HTTP/1.0\\r\\n\\r\\n")
print(s.makefile().read().partition("\\n\\n")[2])'"""


def is_open(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(3)
        return probe.connect_ex((address, port)) == 0


@contextmanager
def looked_at(roost: Roost, browser: Browser, folder: Path) -> Iterator[Page]:
    """The wall of the class in `roost web`, as its trainer comes to it."""
    line = [*roost.line("web", "--no-browser", "--cloud", "aws")]
    with subprocess.Popen(
        line, env=roost.environment, cwd=roost.home, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        go = folder / "go.html"
        link = process.stdout.readline().strip()
        go.write_text(f'<meta http-equiv="refresh" content="0;url={link}">')
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(go.as_uri())
        page.locator("a:text-is('room')").click()
        page.locator(".wall").wait_for()
        yield page
        page.close()
        process.send_signal(signal.SIGINT)


def restarted_by_its_person(bench: Bench, desktop: Page) -> None:
    """Restart seat 2 by its own page, which comes back by itself; who looks on may not."""
    machine = bench.machine("room", "seat-2")
    boot = machine.shell(BOOT).ok().out
    assert "HTTP Error 403" in machine.shell(AS_ONLOOKER).err
    desktop.once("dialog", lambda dialog: dialog.accept())
    desktop.locator("#restart").evaluate("button => button.click()")

    def started_again() -> bool:
        try:
            return machine.shell(BOOT).out not in ("", boot)
        except RuntimeError:
            return False  # it is off for a moment

    wait_for(started_again, 120, "it starts again")
    desktop.locator("#state:empty").wait_for(state="attached", timeout=PATIENCE)
    seen(desktop)


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

    other = bench.machine("room", "seat-2").private
    for port in (22, 443):
        probe = f"timeout 5 bash -c '</dev/tcp/{other}/{port}'"
        assert bench.machine("room", "seat-1").shell(probe).code != 0
    assert bench.machine("room", "gateway").shell(f"timeout 5 bash -c '</dev/tcp/{other}/22'").ok()

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
    with looked_at(roost, browser, tmp_path) as wall:
        picture = wall.locator("li:has(#seat-2) img")
        wait_for(lambda: picture.evaluate("img => img.naturalWidth") == 400, 60, "a picture")
        wait_for(lambda: "RAM" in wall.inner_text("#seat-2"), 60, "its memory")
        wall.locator("#seat-1.well").wait_for(timeout=20_000)
        wall.screenshot(path=tmp_path / "wall.png")
        seat = bench.machine("room", "seat-1")
        # Looks come from a port that only root has, so that they keep no guard from stopping it.
        ports = seat.shell(LOOKS).ok().out.split()
        assert ports
        assert all(600 <= int(port) < 1024 for port in ports)
        assert json.loads(seat.shell(ASK).ok().out)["idle_s"] > 1
        desktop.locator("#hand").evaluate("button => button.click()")
        wait_for(lambda: "told" in desktop.inner_text("#hand"), 30, "the hand is up")
        assert re.fullmatch(r"([0-9]+ h )?[0-9]+ min left", desktop.inner_text("#left"))
        wall.locator("#seat-2.hand").wait_for(timeout=20_000)
        wall.screenshot(path=tmp_path / "hand.png")
        wall.locator("li:has(#seat-2) a").click()
        wall.get_by_role("button", name="Lower its hand").click()
        wall.get_by_text("Done.").wait_for(timeout=60_000)
        wall.locator("a:text-is('room')").click()
        wall.locator("#seat-2.well").wait_for(timeout=20_000)
        desktop.screenshot(path=tmp_path / "student.png")
        gone.shell("systemctl stop ssh roost-desktop-page").ok()
        wall.locator("#seat-2.red").wait_for(timeout=10_000)
        wall.screenshot(path=tmp_path / "red.png")
        assert "does not answer" in wall.inner_text("#seat-2")
        assert wall.locator(".red").count() == 1
    roost("swap", "room/seat-2", "--yes").ok()
    assert bench.machine("room", "seat-2").id != gone.id
    desktop.goto("about:blank")
    desktop.goto(links[1])
    desktop.locator("#screen canvas").wait_for(timeout=PATIENCE)
    seen(desktop)
    desktop.screenshot(path=tmp_path / "after.png")
    restarted_by_its_person(bench, desktop)
    assert gone.run("true").code == 0  # it is kept, as seat-3

    roost("down", "room", "--yes").ok()
    assert bench.left() == {}
