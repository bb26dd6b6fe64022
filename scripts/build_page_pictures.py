"""The documentation's pictures of `roost web`: all names, and the wall of a class.

    uv run --group dev python scripts/build_page_pictures.py

Chromium shows the real page; the class and its seats are fakes (tests/page/class_of_fakes.py).
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
COLOURS = 128
SEATS = 22


def taken(page: Page, name: str, height: int) -> None:
    """Keep a picture of the page, with few colours."""
    whole = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    part = whole.crop((0, 0, whole.width, height)).quantize(COLOURS)
    part.save(IMAGES / f"{name}.png", optimize=True)
    print(f"docs/images/{name}.png: {(IMAGES / f'{name}.png').stat().st_size // 1024} KB")


def main() -> None:
    """Take them."""
    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, "-m", "tests.page.class_of_fakes", folder, str(SEATS)]
        home = {**os.environ, "ROOST_HOME": f"{folder}/home"}
        with subprocess.Popen(line, cwd=ROOT, env=home, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            link = process.stdout.readline().decode().strip()
            go = Path(folder, "go.html")
            go.write_text(f'<meta http-equiv="refresh" content="0;url={link}">')
            with sync_playwright() as playwright:
                arguments = ["--no-sandbox"] if os.getuid() == 0 else []
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=arguments
                )
                page = browser.new_page(viewport={"width": 1180, "height": 900})
                page.goto(go.as_uri())
                page.wait_for_selector("table")
                taken(page, "names", 400)
                page.click("a:text-is('training')")
                page.locator(f"#seat-{SEATS - 2}.well").wait_for()
                Path(folder, "silent-7").touch()
                page.locator("#seat-7.red").wait_for()
                taken(page, "wall", 712)
                browser.close()
            process.send_signal(signal.SIGINT)


if __name__ == "__main__":
    main()
