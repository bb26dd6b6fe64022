"""The page of a desktop in a real browser: what it does with a handout's address."""

from __future__ import annotations

import json
import shutil
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from roost.recipes.desktop import novnc
from tests.serving import serving

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH"),
]
PASSWORD = "abcd-efgh-jkm2-pqrs"
NO_VNC = """\
export default class extends EventTarget {
  constructor(place, address) { super(); document.title = address; window.screen_of = this; }
  clipboardPasteFrom(text) { this.pasted = text.length; }
  focus() {}
}
"""


class Desktop(BaseHTTPRequestHandler):
    """nginx as far as the page asks it; noVNC only writes down where it was led."""

    asked: ClassVar[list[tuple[str, str]]] = []
    seen: ClassVar[int] = 0
    """Who sees the screen."""

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Authorization", "")))
        pages = {file.path.rpartition("/")[2]: file.content for file in novnc.page("room", "ask")}
        name = self.path.rpartition("/")[2] or "index.html"
        kind = {"js": "text/javascript", "css": "text/css"}.get(
            name.rpartition(".")[2], "text/html"
        )
        text = NO_VNC if name == "rfb.js" else pages.get(name, "")
        if name == "key":
            right = self.headers["Authorization"] == f"Bearer {PASSWORD.replace('-', '')}"
            kind, text = "application/json", json.dumps({"socket": "s3", "password": "x"})
            if not right:
                self.send_error(403)
                return
        self.send_response(200 if text else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Roost-Answering", str(1 + self.seen))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


def test_the_password_behind_the_hash_opens_the_desktop_and_leaves_the_address_bar() -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    from playwright.sync_api import expect, sync_playwright

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Desktop)) as web, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM)
        context = browser.new_context()
        page = context.new_page()
        at = f"http://127.0.0.1:{web.server_port}/"
        page.goto(f"{at}#{PASSWORD}")
        expect(page.locator("#screen")).to_be_visible()
        expect(page.locator("#ask")).to_be_hidden()
        assert page.url == at
        assert page.title().endswith("/screen/s3")
        assert not [path for path, _ in Desktop.asked if "abcd" in path]
        page.reload()  # it stays in this tab
        expect(page.locator("#ask")).to_be_hidden()
        other = context.new_page()  # and in no other
        other.goto(at)
        expect(other.locator("#ask")).to_be_visible()
        expect(other.locator(".hint")).to_have_text("ask")
        other.goto("about:blank")
        other.goto(f"{at}#{PASSWORD[:-1]}x")
        expect(other.locator("#said")).to_have_text("That is not the password.")
        assert other.url == at
        other.goto("about:blank")
        other.goto(f"{at}#<script>")
        expect(other.locator("#ask")).to_be_visible()
        browser.close()


def test_the_desktop_has_the_size_of_who_came_first_until_that_one_leaves() -> None:
    """And a text that is too long is not sent, for it would empty the clipboard there."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    from playwright.sync_api import expect, sync_playwright

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Desktop)) as web, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM)
        at = f"http://127.0.0.1:{web.server_port}/"

        def opened(seen: int) -> Any:
            Desktop.seen = seen
            page = browser.new_page()
            page.clock.install()
            page.goto(f"{at}#{PASSWORD}")
            page.wait_for_function("window.screen_of")
            page.evaluate("screen_of.dispatchEvent(new Event('connect'))")
            return page

        def looks(page: Any, seen: int) -> None:
            Desktop.seen = seen
            with page.expect_response("**/key"):
                page.clock.run_for(10_000)

        first = opened(0)
        assert first.evaluate("screen_of.resizeSession") is True
        second = opened(1)
        assert second.evaluate("screen_of.resizeSession") is False
        looks(second, 2)
        looks(second, 2)
        expect(second.locator("#others")).to_have_text("2 people see this desktop")
        expect(second.locator("#fit")).to_be_visible()
        looks(second, 1)  # the first one has left
        expect(second.locator("#others")).to_be_empty()
        expect(second.locator("#fit")).to_be_hidden()
        assert second.evaluate("screen_of.resizeSession") is True
        second.evaluate("document.querySelector('#paper').hidden = false")
        second.fill("#text", "a" * 300_000)
        assert second.evaluate("screen_of.pasted") == 300_000
        # Hidden, or the browser lays all of it out.
        second.evaluate("""() => {
            document.querySelector('#paper').hidden = true;
            document.querySelector('#text').value = 'a'.repeat(17e6);
            document.querySelector('#text').dispatchEvent(new Event('input'));
        }""")
        assert "too long" in second.locator("#long").text_content()
        assert second.evaluate("screen_of.pasted") == 300_000


def test_a_seats_person_sees_the_time_that_is_left_and_asks_for_help() -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    from playwright.sync_api import expect, sync_playwright

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Desktop)) as web, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page()
        asked: list[str] = []

        def seat(route: Any) -> None:
            asked.append(f"{route.request.method} {route.request.url.rpartition('/')[2]}")
            right = PASSWORD.replace("-", "") in route.request.headers["authorization"]
            up = route.request.url.endswith("?up")
            route.fulfill(status=200 if right else 403, json={"left_s": 5430, "hand": up})

        page.route("**/mine", seat)
        page.route("**/hand?*", seat)
        page.route("**/restart", seat)
        page.goto(f"http://127.0.0.1:{web.server_port}/#{PASSWORD}")
        page.wait_for_function("window.screen_of")
        page.evaluate("screen_of.dispatchEvent(new Event('connect'))")
        expect(page.locator("#left")).to_have_text("1 h 30 min left")
        page.locator("#hand").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#hand")).to_have_text("Your trainer is told")
        page.keyboard.press("Enter")
        expect(page.locator("#hand")).to_have_text("I need help")
        assert asked == ["GET mine", "POST hand?up", "POST hand?down"]
        # Its screen is gone: that is when it helps.
        page.evaluate("screen_of.dispatchEvent(new Event('disconnect'))")
        page.once("dialog", lambda dialog: dialog.dismiss())
        page.locator("#restart").evaluate("button => button.click()")
        page.once("dialog", lambda dialog: dialog.accept())
        page.locator("#restart").evaluate("button => button.click()")
        expect(page.locator("#state")).to_have_text(
            "The machine restarts; the desktop comes back here."
        )
        assert asked[3:].count("POST restart") == 1
        browser.close()
