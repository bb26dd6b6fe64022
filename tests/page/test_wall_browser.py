"""A class's wall in a real browser: read by all, used by keyboard alone, red within ten seconds."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import Page

from tests.page.test_page_browser import looked_at, page

__all__ = ["page"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium on the PATH"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here"),
]


@pytest.fixture
def link(tmp_path: Path) -> Iterator[str]:
    """The link of a page with a class of 30 seats, of which 28 and the spare are fakes."""
    line = [sys.executable, "-m", "tests.page.class_of_fakes", str(tmp_path), "30"]
    environment = {**os.environ, "ROOST_HOME": str(tmp_path / "home")}
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def pressed(page: Page, key: str, until: str, most: int = 80) -> None:
    """Press a key until what has the focus has that text."""
    for _ in range(most):
        page.keyboard.press(key)
        if until in (page.evaluate("document.activeElement.textContent") or ""):
            return
    raise AssertionError(until)


def test_a_wall_is_read_by_all_and_used_by_keyboard_alone(page: Page, tmp_path: Path) -> None:
    wrong: list[str] = []
    page.on("console", lambda told: wrong.append(told.text) if told.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.set_viewport_size({"width": 1440, "height": 900})
    page.locator("a:text-is('training')").focus()
    page.keyboard.press("Enter")
    page.locator("#seat-28.well").wait_for(timeout=20_000)
    drawn = "[...document.images].filter(i => i.naturalWidth == 400).length == 29"
    for _ in range(100):
        if page.evaluate(drawn):
            break
        page.wait_for_timeout(100)
    assert page.evaluate(drawn)
    (tmp_path / "silent-7").touch()
    page.locator("#seat-7.red").wait_for(timeout=10_000)
    assert page.inner_text("#seat-7 .word") == "needs you"
    assert "Seat 7 needs you: does not answer." in page.inner_text("[role=status]")
    looked_at(page)

    pressed(page, "Tab", "Message")
    page.keyboard.press("Enter")
    looked_at(page)
    page.keyboard.press("Enter")
    pressed(page, "Tab", "Lise Meitner")
    (tmp_path / "silent-8").touch()
    page.locator("#seat-8.red").wait_for(timeout=10_000)
    focused = page.evaluate("document.activeElement.textContent")
    assert "Lise Meitner" in focused  # what is new takes the focus from nobody
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('seat-7')")
    looked_at(page)
    (tmp_path / "silent-7").unlink()
    page.locator("#seat-7.well").wait_for(timeout=20_000)
    pressed(page, "Tab", "Swap")
    page.goto(page.url.replace("classes/training/seat-7", "plans/training"))
    assert "31 x data" in page.inner_text(".plan")
    looked_at(page)
    assert wrong == []
