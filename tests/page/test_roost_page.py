"""The page of `roost web`, asked as a browser asks, without a network."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from roost.app.listing import Listed
from roost.errors import NeedsConfirmationError, RoostError
from roost.model.place import NOWHERE
from roost.model.summary import Summary
from roost.page.guard import Guard
from roost.page.jobs import Job
from roost.page.look import Looks
from roost.page.site import Site
from tests.cli.conftest import alone, cloud, roost, write  # noqa: F401
from tests.cli.full import done
from tests.cli.made import THERE

HOST = "127.3.2.1:8000"
ORIGIN = {"origin": f"http://{HOST}"}


class Browser(TestClient):
    """A browser that was given the link."""

    def __init__(self, site: Site) -> None:
        super().__init__(site.app(), base_url=f"http://{HOST}", follow_redirects=False)
        self.site = site

    def enter(self) -> Browser:
        told = self.get(self.site.guard.link)
        assert told.status_code == 200
        assert "httponly" in told.headers["set-cookie"].lower()
        assert "samesite=strict" in told.headers["set-cookie"].lower()
        return self

    def submit(self, path: str, **fields: str) -> Any:
        return self.post(path, data={"secret": self.site.guard.form, **fields}, headers=ORIGIN)

    def until(self, job: str, text: str) -> str:
        """What the page of a job shows, once it has the text."""
        for _ in range(500):
            shown = unescape(self.get(job).text)
            if text in shown:
                return shown
            time.sleep(0.01)
        raise AssertionError(shown)


@pytest.fixture
def site(alone: Path) -> Site:  # noqa: F811
    return Site(Guard(HOST), NOWHERE)


def test_only_who_has_the_link_is_let_in_and_once(site: Site) -> None:
    link, stranger = site.guard.link, Browser(site)
    for path in ("/", "/events", "/static/style.css", "/audit", "/names/stars", "/no-such-page"):
        assert stranger.get(path).status_code == 403, path
    assert stranger.get("/enter?token=wrong").status_code == 403
    browser = Browser(site).enter()
    assert browser.get("/static/style.css").status_code == 200
    assert stranger.get(link).status_code == 403
    assert stranger.post("/verbs/stop", data={"name": "x"}, headers=ORIGIN).status_code == 403


def test_an_error_says_what_to_do_next(site: Site) -> None:
    browser = Browser(site).enter()
    assert "next: <code>roost ls</code>" in browser.get("/names/nobody").text
    error = RoostError("which region?", next="roost audit --region REGION")
    site.audited = Looks(lambda _: error, 60)
    assert "next: <code>roost audit --region REGION</code>" in browser.get("/audit").text
    site.names = Looks(lambda _: error, 60)
    shown = browser.get("/").text
    assert "cannot list: which region?" in shown
    assert "next: <code>roost audit" in shown


def test_other_names_and_other_pages_get_nothing(site: Site) -> None:
    browser = Browser(site).enter()
    for host in ("evil.example:8000", "localhost:8000", "127.3.2.1", "127.0.0.1:8000"):
        assert browser.get("/", headers={"host": host}).status_code == 421, host
    good = {"secret": site.guard.form, "name": "stars"}
    for headers in (
        {},
        {"origin": "null"},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:8000"},
        {**ORIGIN, "sec-fetch-site": "cross-site"},
        {**ORIGIN, "sec-fetch-site": "same-site"},
    ):
        assert browser.post("/verbs/stop", data=good, headers=headers).status_code == 403, headers
    for form in ({"name": "stars"}, {**good, "secret": "x"}, {**good, "more": "x" * 9000}):
        assert browser.post("/verbs/stop", data=form, headers=ORIGIN).status_code == 403
    assert browser.post("/verbs/down", data=good, headers=ORIGIN).status_code == 403
    assert browser.get("/verbs/stop").status_code == 405
    assert site.jobs.all == {}
    headers = browser.get("/static/style.css").headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"


def test_a_name_is_shown_stopped_and_started_with_the_terminals_questions(
    site: Site,
    cloud: Any,  # noqa: F811
    roost: Any,  # noqa: F811
    write: Callable[..., Path],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done(roost("up", write(THERE), "--yes"))
    row = Summary(
        name="there", kind="<b>desktop</b>", cloud="aws", states={"running": 1}, region="us-east-1"
    )
    looks: list[int] = []

    def found(_: object) -> Listed:
        looks.append(1)
        return Listed((row,), ("aws eu-west-1: no right",))

    monkeypatch.setattr("roost.page.site.listed", found)
    monkeypatch.setattr("roost.app.provisioning.set_ups", lambda _, __, state: (state, {}))
    browser = Browser(site).enter()
    pages = [browser.get("/").text, browser.get("/parts/names").text]
    assert all("&lt;b&gt;desktop" in one and "eu-west-1: no right" in one for one in pages)
    assert len(looks) == 1  # one look for all who look
    assert all(re.search(r"<td>\$0\.\d\d.*<td>us-east-1</td>", one, re.DOTALL) for one in pages)
    assert "An hour, as it is now" in browser.get("/names/there").text

    drawn = browser.get("/plans/there").text
    assert "1 x data, 100GB gp3 at /data" in drawn
    assert "port 22 from your address" in drawn
    assert re.search(r"all of it</th><td></td><td><b>(at most )?\$0\.\d\d", drawn)

    job = browser.submit("/verbs/stop", name="there").headers["location"]
    browser.until(job, "Done.")
    assert [i.state for i in cloud.observe("there").instances] == ["stopped"]
    assert "stopped" in browser.get("/names/there").text

    job = browser.submit("/verbs/park", name="there").headers["location"]
    asked = browser.until(job, "It waits for your answer.")
    assert "[y/N]" not in asked
    assert browser.submit("/verbs/start", name="there").status_code == 409
    assert browser.submit(f"{job}/answer", answer="no").status_code == 303
    assert "cancelled; nothing was changed" in browser.until(job, "It failed.")
    job = browser.submit("/verbs/start", name="there").headers["location"]
    shown = browser.until(job, "Done.")
    assert re.search("while it runs it costs at most .* an hour", shown)


def test_a_name_must_be_typed_as_it_is_and_silence_is_no(monkeypatch: pytest.MonkeyPatch) -> None:
    from threading import Thread

    def typed(text: str | None) -> Exception | None:
        job, ended = Job(1, "ndvi", "park ndvi", lambda: None), []

        def ask() -> None:
            try:
                job.type_name("data", "data will be lost", NeedsConfirmationError("no yes"))
                ended.append(None)
            except NeedsConfirmationError as error:
                ended.append(error)

        thread = Thread(target=ask)
        thread.start()
        while text is not None and thread.is_alive():
            job.answer(text)
            time.sleep(0.001)
        thread.join()
        return ended[0]

    assert typed("data") is None
    for wrong in ("", "yes", "dat"):
        assert "nothing was changed" in str(typed(wrong))
    monkeypatch.setattr("roost.page.jobs.PATIENCE", 0.01)
    assert str(typed(None)) == "no yes"


def test_one_look_serves_all_for_some_seconds() -> None:
    now, looks = [0.0], []

    def look(key: str) -> int:
        looks.append(key)
        return len(looks)

    kept = Looks(look, 15, clock=lambda: now[0])
    assert [kept.get(), kept.get(), kept.get("a")] == [1, 1, 2]
    now[0] = 15
    assert [kept.get(), kept.get()] == [3, 3]
    kept.forget()
    assert kept.get() == 4


def test_without_its_extra_it_says_what_to_install(
    roost: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    told = roost("web", "--no-browser")
    assert (told.code, told.out) == (1, "")
    assert "next: pip install 'roost[web]'" in told.err
