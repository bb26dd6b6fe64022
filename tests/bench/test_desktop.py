"""A desktop, end to end: up, a browser that logs in, and work that outlives the machine."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from roost.recipes.desktop import novnc
from roost.spec import load
from roost.ssh.pages import PASSWORDS
from tests.bench.bench import Bench, Machine, Roost, wait_for

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.bench,
    pytest.mark.browser,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH"),
]
STARS = """\
name = "stars"
kind = "desktop"
cloud = "aws"
protocol = "novnc"

[aws]
region = "{region}"

[machine]
type = "t3.medium"
image = "debian-12"
disk = "10GB"

[[volumes]]
name = "data"
size = "1GB"

[schedule]
after = "8h"

[budget]
usd = 5

[access]
ssh = ["{caller}"]
"""
PATIENCE = 60_000
"""Milliseconds."""
COLOUR, PANEL = (51, 84, 105), (30, 30, 30)
"""What the desktop's background has (``xfce4-desktop.xml``), and at most its panel."""
NOT_OUTSIDE = ("127.", "169.254.")
"""Addresses of the machine itself, and of the bench's metadata service in it."""
METER = "/usr/lib/roost/desktop/meter"
PIXEL = """([x, y]) => {
    const canvas = document.querySelector('#screen canvas');
    return [...canvas.getContext('2d').getImageData(x, y, 1, 1).data].slice(0, 3);
}"""


@pytest.fixture
def file(bench: Bench, roost: Roost) -> Path:
    """The spec; what its packages are is in the image already, which is quicker."""
    file = roost.file(STARS.format(region=bench.region, caller=bench.caller))
    packages = {name for step in novnc.steps(load(file)) for name in step.packages}
    bench.debian(bench.layer("desktop", sorted({*packages, "xclip"})))
    return file


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def opened(roost: Roost, browser: Browser, *words: str, width: int = 1280) -> Iterator[Page]:
    """The desktop, as who has only what `roost open` prints sees it."""
    told = roost("open", "stars", "--json", *words).ok().json
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(told["address"])
    page.fill("#password", told["password"])
    page.click("#ask button")
    seen(page)
    yield page
    page.close()
    roost("open", "stars", "--close").ok()


def seen(page: Page) -> None:
    """Until XFCE is there: its background, and its panel above it."""
    page.locator("#screen canvas").wait_for(timeout=PATIENCE)

    def there() -> bool:
        background, panel = page.evaluate(PIXEL, [640, 500]), page.evaluate(PIXEL, [640, 10])
        near = all(abs(one - other) < 12 for one, other in zip(background, COLOUR, strict=True))
        return near and all(one <= most + 12 for one, most in zip(panel, PANEL, strict=True))

    wait_for(there, 60, "the desktop is seen")


def type_in_a_terminal(page: Page, line: str) -> None:
    page.mouse.click(640, 500)
    page.keyboard.press("Control+Alt+t")
    page.wait_for_timeout(5000)  # a window that opens tells the page nothing
    page.keyboard.type(line, delay=20)
    page.keyboard.press("Enter")


def on_screen(machine: Machine, *words: str) -> str:
    """What a program says that the user has started on the desktop."""
    user = ("setpriv", "--reuid=1000", "env", "HOME=/home/admin", "DISPLAY=:1")
    return machine.run(*user, *words).out


def size(machine: Machine) -> str:
    return on_screen(machine, "xrandr").partition("current ")[2].partition(",")[0]


def data(roost: Roost) -> str:
    return roost("ssh", "stars", "--", "cat", "/data/by-hand").ok().out


def test_a_desktop_lives_from_up_to_down(
    bench: Bench, roost: Roost, file: Path, browser: Browser, tmp_path: Path
) -> None:
    told = roost("up", file, "--yes").ok()
    # Steps that take no time may be over between two looks.
    assert re.search(r"desktop: [2-8]/8 (installing|starting|opening) ", told.err)
    assert "desktop: ready" in told.err
    machine = bench.machine("stars", "desktop")
    listening = machine.shell("ss -ltnH | awk '{print $4}'").ok().out.split()
    outside = {one for one in listening if not one.startswith(NOT_OUTSIDE)}
    assert outside == {"0.0.0.0:22", "[::]:22"}

    password = roost("open", "stars", "--json").ok().json["password"]
    with opened(roost, browser) as page:
        assert size(machine) == "1280 x 800"
        assert re.search(
            r"<txt>7 h \d\d min left · \$[45]\.\d\d left</txt>", on_screen(machine, METER)
        )
        type_in_a_terminal(page, "echo by hand > /data/by-hand; ls -l /data")
        wait_for(lambda: machine.run("test", "-s", "/data/by-hand").code == 0, 30, "it is written")
        page.wait_for_timeout(1000)  # for the picture
        page.screenshot(path=os.environ.get("ROOST_DESKTOP_SHOT", tmp_path / "desktop.png"))
        page.set_viewport_size({"width": 1440, "height": 900})
        wait_for(lambda: size(machine) == "1440 x 900", 30, "the desktop follows the window")
        # A second window does not shrink it for the first one, and takes over when that one goes.
        other = browser.new_page(viewport={"width": 800, "height": 600})
        other.goto(f"{page.url}#{password}")
        other.get_by_text("2 people see this desktop").wait_for(timeout=PATIENCE)
        assert size(machine) == "1440 x 900"
        other.close()
        page.evaluate(
            """long => {
            document.querySelector('#text').value = long;
            document.querySelector('#text').dispatchEvent(new Event('input'));
        }""",
            "star " * 100_000,
        )
        copied = ("timeout", "5", "xclip", "-selection", "clipboard", "-out")
        wait_for(lambda: len(on_screen(machine, *copied)) == 500_000, 30, "a long text is pasted")
    assert data(roost) == "by hand\n"
    said = machine.shell("cat /var/log/roost.log; journalctl; ps -eo args").ok().out
    for secret in json.loads(machine.run("cat", PASSWORDS).ok().out).values():
        assert secret not in said
        assert secret.replace("-", "") not in said

    roost("stop", "stars").ok()
    roost("start", "stars").ok()
    assert data(roost) == "by hand\n"
    roost("resize", "stars", "--type", "t3.small", "--yes").ok()
    assert data(roost) == "by hand\n"
    with opened(roost, browser) as page:
        roost("restart", "stars").ok()
        assert data(roost) == "by hand\n"
        seen(page)  # without a reload: the tunnel is healed

    roost("park", "stars", "--mode", "data=snapshot", "--yes").ok()
    assert machine.state == "terminated"
    roost("resume", "stars", "--yes").ok()
    assert data(roost) == "by hand\n"
    with opened(roost, browser):
        pass
    assert roost("open", "stars", "--json").ok().json["password"] == password

    roost("down", "stars", "--yes", "--delete-data", "stars").ok()
    assert bench.left() == {}


def test_who_may_do_what(bench: Bench, roost: Roost, file: Path, browser: Browser) -> None:
    roost("up", file, "--yes").ok()
    machine = bench.machine("stars", "desktop")
    told = roost("open", "stars", "--json").ok().json

    page = browser.new_page()
    page.goto(told["address"])
    page.fill("#password", "abcd-efgh-jkmn-pqrs")
    page.click("#ask button")
    page.get_by_text("That is not the password.").wait_for(timeout=PATIENCE)
    assert page.locator("#screen canvas").count() == 0
    for path in ("screen/", "screen/0123456789abcdef0123456789abcdef", "key"):
        assert page.request.get(f"{told['address']}{path}").status == 403
    page.close()
    # Who is on the machine and knows no token gets no further than the door.
    asked = (
        "curl -s -o /dev/null -w '%{http_code}' -H 'Upgrade: websocket' -H 'Connection: upgrade'"
    )
    asked += " -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='"
    assert machine.shell(f"{asked} http://127.0.0.1:6081/").out != "101"
    assert machine.run("setpriv", "--reuid=33", "ls", "/run/roost-desktop").code != 0

    with opened(roost, browser, "--view", width=1000) as looking:
        assert size(machine) == "1280 x 800"
        type_in_a_terminal(looking, "touch /data/by-viewer")
        assert machine.run("pgrep", "xfce4-terminal").code != 0
        # Over TLS it is the same page.
        assert machine.shell("curl -sk https://127.0.0.1/ | grep -c 'Open the desktop'").ok()

    with opened(roost, browser) as page:
        before = machine.run("systemctl", "show", "-P", "MainPID", "roost-desktop").out
        bus = "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus DISPLAY=:1 HOME=/home/admin"
        logout = "xfce4-session-logout --logout --fast"
        machine.shell(f"setpriv --reuid=1000 env {bus} {logout}").ok()
        after = "systemctl show -P MainPID roost-desktop"
        wait_for(lambda: machine.shell(after).out not in (before, "0\n"), 30, "a fresh session")
        seen(page)  # without a reload
    assert machine.run("test", "-e", "/data/by-viewer").code != 0


def test_where_the_file_opens_https(
    bench: Bench, roost: Roost, file: Path, browser: Browser
) -> None:
    file.write_text(file.read_text() + f'https = ["{bench.caller}"]\n')
    roost("up", file, "--yes").ok()
    machine = bench.machine("stars", "desktop")
    address, said = roost("open", "stars", "--no-browser").ok().out.splitlines()
    assert address == f"https://{machine.described['PublicIpAddress']}/"
    page = browser.new_page(ignore_https_errors=True)
    page.goto(address)
    page.fill("#password", said.removeprefix("password: "))
    page.click("#ask button")
    seen(page)
    assert page.evaluate("document.querySelector('#looking').hidden") is True
