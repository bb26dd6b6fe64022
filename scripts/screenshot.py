"""The README's picture: the running `ndvi` cluster, seen by a headless Chromium.

    uv run roost up examples/ndvi.toml
    uv run --group dev python scripts/screenshot.py docs/images/ndvi.png

Runs the whole notebook as a person would (menu Run, Run All Cells) and waits for its last cell.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

SIZE = {"width": 1600, "height": 950}
PATIENCE = 120_000
"""Milliseconds for the notebook to open, and for it to run."""


def address(name: str) -> str:
    """The address that `roost open` gives."""
    words = [sys.executable, "-m", "roost", "open", name, "--no-browser", "--json"]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    found: str = json.loads(done.stdout)["address"]
    return found


def run_all(page: Page, show: int) -> None:
    """Every cell; then cell number ``show`` is brought into view."""
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=PATIENCE)
    page.locator("#jp-main-statusbar").get_by_text("Idle").wait_for(timeout=PATIENCE)
    page.locator(".lm-MenuBar-itemLabel", has_text="Run").first.click()
    page.locator(".lm-Menu-itemLabel", has_text="Run All Cells").first.click()
    last = page.locator(".jp-Notebook .jp-CodeCell").last.locator(".jp-InputPrompt")
    page.wait_for_function(
        "prompt => /\\[\\d+\\]/.test(prompt.textContent)",
        arg=last.element_handle(),
        timeout=PATIENCE,
    )
    page.locator(".jp-Notebook .jp-CodeCell").nth(show).scroll_into_view_if_needed()
    page.wait_for_timeout(3000)  # the plots are drawn a moment after their data came


def main() -> None:
    """Take it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--name", default="ndvi")
    parser.add_argument("--show", type=int, default=5, help="the code cell to show, from 0")
    options = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport=SIZE)
        page.goto(address(options.name))
        run_all(page, options.show)
        page.screenshot(path=options.file)
        browser.close()


if __name__ == "__main__":
    main()
