"""A wall of `roost web`: it asks while somebody looks, and shows what came; and its forms."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from roost.app.open import Opened
from roost.app.wall import Overview
from roost.errors import RoostError
from roost.model.glance import Glance, Picture
from roost.model.place import NOWHERE
from roost.page import walls
from roost.page.guard import Guard
from roost.page.site import Site
from roost.page.verbs import VERBS
from roost.page.walls import View, Wall
from roost.ssh.pages import Login
from tests.cli.conftest import alone  # noqa: F401
from tests.page.class_of_fakes import overview
from tests.page.test_roost_page import HOST, Browser
from tests.page.test_tiles import JPEG


class Watching:
    """A gateway's program, as the page sees it."""

    def __init__(self, heard: Callable[[Glance], None]) -> None:
        self.heard, self.rosters, self.closed = heard, [], False
        self.ended: str | None = None

    def ask(self, roster: Any) -> None:
        self.rosters.append(roster)

    def close(self) -> None:
        self.closed = True


class Room:
    """A class, its wall and the clock."""

    def __init__(self, of: Overview) -> None:
        self.now, self.of, self.looks, self.begun = 1000.0, of, 0, []
        self.wall = Wall(self.look, self.begin, clock=lambda: self.now)

    def look(self) -> Overview:
        self.looks += 1
        return self.of

    def begin(self, _: Overview, heard: Callable[[Glance], None]) -> Watching:
        self.begun.append(Watching(heard))
        return self.begun[-1]

    def until(self, wanted: Callable[[], object]) -> None:
        for _ in range(400):
            if wanted():
                return
            time.sleep(0.005)
        raise AssertionError("it did not come to that")

    def shown(self) -> dict[str, tuple[str, str]]:
        view = self.wall.view()
        assert isinstance(view, View)
        return {one.seat: (one.look, one.mark) for _, one in view.tiles}


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    monkeypatch.setattr(walls, "TURN", 0.005)
    room = Room(overview(tmp_path, 4, without=(2,)))
    yield room
    room.now += 1000
    room.until(lambda: all(one.closed for one in room.begun))


def test_seats_are_asked_only_while_somebody_looks(room: Room) -> None:
    first = room.shown()
    assert first["seat-1"] == ("wait", "")
    assert first["seat-2"] == ("red", "")  # its machine is gone
    room.until(lambda: room.begun and room.begun[0].rosters)
    watch = room.begun[0]
    assert sorted(watch.rosters[0]) == ["seat-1", "seat-5"]  # 3 is made just now, 4 is off
    picture = Picture(JPEG, "aa")
    watch.heard(Glance(seat="seat-1", picture=picture))
    watch.heard(Glance(seat="seat-4", picture=picture))  # nobody asked for it
    assert room.shown()["seat-1"] == ("well", "aa")
    assert room.wall.picture("seat-4") is None
    before = room.wall.version()
    watch.heard(Glance(seat="seat-1", same=True))
    assert room.wall.version() == before  # nothing new, so nothing is sent
    watch.heard(Glance(seat="seat-1", miss="silent"))
    assert room.shown()["seat-1"] == ("red", "aa")
    assert room.wall.version() > before
    room.now += 20  # nobody looked meanwhile
    room.until(lambda: watch.closed)
    assert room.shown()["seat-1"][0] == "unknown"
    room.until(lambda: len(room.begun) == 2)


def test_a_way_that_ends_or_falls_silent_is_made_anew_and_said(room: Room) -> None:
    room.shown()
    room.until(lambda: room.begun)
    room.begun[0].ended = "Permission denied"
    room.until(lambda: room.begun[0].closed)
    view = room.wall.view()
    assert isinstance(view, View)
    assert "Permission denied" in view.problem
    room.now += 4
    room.wall.keep()
    room.until(lambda: len(room.begun) == 2)
    for _ in range(2):
        room.now += 7
        room.wall.keep()
    room.until(lambda: room.begun[1].closed)
    room.now += 4
    room.wall.keep()
    room.until(lambda: len(room.begun) == 3)
    room.begun[2].heard(Glance(seat="seat-1"))
    view = room.wall.view()
    assert isinstance(view, View)
    assert view.problem == ""


def test_a_class_that_is_none_is_said(tmp_path: Path) -> None:
    def none() -> Overview:
        raise RoostError("stars is no class")

    found = Wall(none, lambda *_: Watching(print)).view()
    assert isinstance(found, RoostError)


@pytest.fixture
def site(alone: Path, room: Room, monkeypatch: pytest.MonkeyPatch) -> Site:  # noqa: F811
    site = Site(Guard(HOST), NOWHERE)
    monkeypatch.setitem(site.classes.walls._all, "training", room.wall)
    return site


def test_the_page_shows_all_seats_then_what_is_new(site: Site, room: Room) -> None:
    browser = Browser(site).enter()
    whole = unescape(browser.get("/classes/training").text)
    assert whole.count('class="seat"') == 5
    assert "Seat 2 needs you: its machine is gone." in whole
    assert "Ada Lovelace" in whole
    assert ">spare<" in whole
    room.until(lambda: room.begun)
    room.begun[0].heard(Glance(seat="seat-1", picture=Picture(JPEG, "aa"), error="<b>x</b>"))
    view = room.wall.view()
    assert isinstance(view, View)
    part = browser.get("/parts/classes/training?since=0&jobs=0")
    assert part.text.count('hx-swap-oob="true"') == 3 + 5
    assert "&lt;b&gt;x" in part.text
    since = view.version - 1
    part = browser.get(f"/parts/classes/training?since={since}&jobs=0")
    assert part.text.count('class="facts') == 1
    now = f"/parts/classes/training?since={view.version}&jobs={site.jobs.version}"
    assert browser.get(now).status_code == 204
    picture = browser.get("/pictures/training/seat-1/aa")
    assert (picture.content, picture.headers["content-type"]) == (JPEG, "image/jpeg")
    assert picture.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert picture.headers["x-content-type-options"] == "nosniff"
    assert browser.get("/pictures/training/seat-9/aa").status_code == 404
    seat = browser.get("/classes/training/seat-1").text
    assert "/pictures/training/seat-1/aa" in seat
    assert browser.get("/classes/training/seat-9").status_code == 404
    assert browser.get("/classes/..%2Fx").status_code == 404


def test_a_form_does_what_the_command_does_for_the_seat_that_it_names(
    site: Site, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, done = Browser(site).enter(), []
    monkeypatch.setattr("roost.app.restart.restart", lambda *words: done.append(words[1:]) or Ran)
    monkeypatch.setattr("roost.app.reset.reset", lambda *w, **k: done.append((w[1:], k)) or Ran)
    monkeypatch.setattr("roost.app.copy.copy", lambda *words: done.append(words[1:]))
    job = browser.submit("/verbs/restart", name="training", seat="seat-1").headers["location"]
    assert "restart training/seat-1" in browser.until(job, "Done.")
    job = browser.submit("/verbs/reset", name="training", seat="seat-1").headers["location"]
    browser.until(job, "Done.")
    job = browser.submit("/verbs/push", name="training", text="~/no-such-file").headers["location"]
    assert "no file of this computer" in browser.until(job, "It failed.")
    job = browser.submit("/verbs/push", name="training", text=__file__).headers["location"]
    browser.until(job, "Done.")
    assert done == [
        ("training", "seat-1"),
        (("training", "seat-1"), {"delete_data": False, "new_password": False}),
        ((__file__, "training/seats:Desktop"),),
    ]
    assert browser.submit("/verbs/reset", name="training", seat="../x").status_code == 403
    for verb in ("restart", "reset", "swap", "lower"):  # never all of them
        job = browser.submit(f"/verbs/{verb}", name="training").headers["location"]
        assert "which seat?" in browser.until(job, "It failed.")
    assert len(done) == 3
    assert "delete" not in VERBS


class Ran:
    """What a verb gives that went well."""

    problem = None


def test_looking_on_and_helping_lead_to_the_desktop_with_its_password(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(_: object, name: str, node: str, *, view: bool) -> Opened:
        return Opened(name, f"https://h/{node}/", node, Login("look" if view else "type"))

    monkeypatch.setattr("roost.page.classes.open_page", opened)
    browser = Browser(site).enter()
    fields = {"name": "training", "seat": "seat-7"}
    assert (
        "url=https://h/seat-7/#look" in browser.submit("/open", **fields, **{"as": "viewer"}).text
    )
    assert "url=https://h/seat-7/#type" in browser.submit("/open", **fields, **{"as": "owner"}).text
    assert browser.submit("/open", name="training").status_code == 403
    assert browser.post("/open", data=fields).status_code == 403
