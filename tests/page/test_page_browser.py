"""The page of `roost web` in a real browser, light and dark, on a screen and on a phone."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.made import HERE, put, wanted

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH"),
]
SIZES = ((1440, 900), (1024, 768), (390, 844))


@pytest.fixture
def link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The link of a running `roost web`, with a cluster of this computer that is off."""
    monkeypatch.setenv("ROOST_HOME", str(tmp_path / "home"))
    file = tmp_path / "here.toml"
    file.write_text(HERE)
    put(tmp_path / "home", wanted(file), "head", "worker-1", "worker-2")
    command = [sys.executable, "-m", "roost", "web", "--no-browser", "--cloud", "local"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


@pytest.fixture
def page(link: str, tmp_path: Path) -> Iterator[Page]:
    """A browser that came to the page from a file, as `roost web` sends it."""
    file = tmp_path / "go.html"
    file.write_text(f'<meta http-equiv="refresh" content="0;url={link}">')
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page()
        page.goto(file.as_uri())
        page.wait_for_selector("h1")
        yield page
        browser.close()


def looked_at(page: Page) -> None:
    """Nothing that axe finds, and nothing to scroll sideways, at each size, light and dark."""
    for scheme in ("light", "dark"):
        for width, height in SIZES:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": height})
            found = Axe().run(page).response["violations"]
            assert found == [], (page.url, scheme, width, json.dumps(found)[:2000])
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_it_is_read_by_all_and_used_by_keyboard_alone(page: Page) -> None:
    wrong: list[str] = []
    page.on("console", lambda told: wrong.append(told.text) if told.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    looked_at(page)
    page.locator("a:text-is('here')").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:text-is('here')")
    looked_at(page)
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Stop":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Done.")
    assert "worker-2: stopped" in page.inner_text("pre")
    page.reload()
    assert "worker-2: stopped" in page.inner_text("pre")
    looked_at(page)
    assert wrong == []
