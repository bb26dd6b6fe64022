"""What a person sees: the address in a real browser, without a network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from by_hand import Lab, eventually

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import Frame, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH"),
]
PATIENCE = 180_000
"""Milliseconds."""
TASKS = """() => Math.max(0, ...Bokeh.documents.flatMap(d => [...d._all_models.values()])
    .filter(m => m.type === 'ColumnDataSource').map(m => m.get_length() ?? 0))"""
"""How many rows the largest table behind a plot has."""


class Seen:
    """A page, and what went wrong on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._console)
        page.on("request", self._request)

    def _console(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _request(self, request: Any) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            self.elsewhere.append(request.url)

    def pane(self, route: str) -> Frame:
        """The frame of a plot, once it is there."""
        frame = self.page.locator(f"iframe[src*='{route}']").element_handle(timeout=PATIENCE)
        content = frame.content_frame()
        assert content is not None
        return content

    def expect_panes(self) -> None:
        """Plots, and not a word of trouble in their place."""
        for route in ("individual-task-stream", "individual-progress"):
            self.page.locator(f"iframe[src*='{route}']").wait_for(timeout=PATIENCE)
            pane = self.page.frame_locator(f"iframe[src*='{route}']")
            expect(pane.locator(".bk-Figure").first).to_be_visible(timeout=PATIENCE)
        for tab in ("Task Stream", "Progress", "Workers Memory"):
            label = self.page.locator("#jp-main-dock-panel .lm-TabBar-tabLabel")
            expect(label.get_by_text(tab, exact=True)).to_have_count(1)

    def expect_sidebar(self) -> None:
        sidebar = self.page.locator("#dask-dashboard-launcher")
        expect(sidebar.get_by_text("demo", exact=True)).to_be_in_viewport(timeout=PATIENCE)
        expect(sidebar.get_by_text("Number of Workers: 1")).to_be_in_viewport(timeout=PATIENCE)
        expect(sidebar.get_by_text("SCALE", exact=True)).to_be_in_viewport()
        for roosts_own in ("NEW", "SHUTDOWN"):
            expect(sidebar.get_by_text(roosts_own, exact=True)).to_be_hidden()
        expect(self.page.get_by_text("Dashboard not connected")).to_have_count(0)

    def expect_no_trouble(self) -> None:
        expect(self.page.locator(".jp-Dialog")).to_have_count(0)
        expect(self.page.locator(".Toastify__toast")).to_have_count(0)
        assert self.errors == []
        assert self.elsewhere == []


@pytest.fixture
def seen() -> Iterator[Seen]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield Seen(browser.new_page(viewport={"width": 1680, "height": 1050}))
        browser.close()


def expect_notebook(page: Page) -> None:
    """The notebook, in a kernel that nobody was asked to choose."""
    expect(page.locator(".jp-Notebook h1")).to_have_text("A first look¶", timeout=PATIENCE)
    name = page.locator(".jp-NotebookPanel-toolbar .jp-KernelName")
    expect(name).to_have_text("Python 3 (ipykernel)", timeout=PATIENCE)
    expect(page.locator("#jp-main-statusbar")).to_contain_text("Idle", timeout=PATIENCE)


def run_all(page: Page) -> None:
    page.locator(".jp-Notebook .jp-Cell").first.click()
    for _ in range(3):
        page.keyboard.press("Shift+Enter")


def test_the_front_page_is_the_notebook_beside_the_cluster_at_work(running, seen, tmp_path):
    page = seen.page
    page.goto(running.address())
    expect_notebook(page)
    seen.expect_panes()
    seen.expect_sidebar()
    page.screenshot(path=tmp_path / "front-page.png")
    run_all(page)
    output = page.locator(".jp-OutputArea-output")
    expect(output.get_by_text("np.float64")).to_be_visible(timeout=PATIENCE)
    stream = seen.pane("individual-task-stream")
    stream.wait_for_function(f"({TASKS})() > 50", timeout=PATIENCE)
    page.wait_for_timeout(1000)  # for the picture only
    page.screenshot(path=tmp_path / "at-work.png")
    seen.expect_no_trouble()


def test_the_page_is_the_same_after_a_reload(running, seen):
    for _ in range(2):
        seen.page.goto(running.address())
        expect_notebook(seen.page)
        seen.expect_panes()
        seen.expect_sidebar()
        seen.page.wait_for_timeout(2000)  # JupyterLab saves the layout a while after
    expect(seen.page.locator(".jp-NotebookPanel")).to_have_count(1)
    seen.expect_no_trouble()


def test_without_a_notebook_the_launcher_is_in_its_place(lab: Lab, seen, tmp_path):
    lab.start_scheduler()
    lab.start_worker()
    lab.start_lab()
    lab.wait_until_it_listens()
    eventually(lambda: lab.workers() == 1)
    page = seen.page
    page.goto(lab.address())
    seen.expect_panes()
    seen.expect_sidebar()
    launcher = page.locator(".jp-Launcher")
    expect(launcher).to_be_visible(timeout=PATIENCE)
    page.screenshot(path=tmp_path / "launcher.png")
    left, pane = launcher.bounding_box(), page.locator(".dask-DaskDashboard-widget >> nth=0")
    right = pane.bounding_box()
    assert left is not None
    assert right is not None
    assert left["x"] + left["width"] <= right["x"]
    assert left["height"] > right["height"] * 1.5
    seen.expect_no_trouble()
