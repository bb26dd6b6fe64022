"""A class at a site whose machines boot, by the real command: what a trainer does with seats."""

from __future__ import annotations

import ssl
import urllib.request
from pathlib import Path

import pytest

from tests.bench.seats import desktop_packages
from tests.openstack.booted import Booted, booted
from tests.openstack.site import CLOUD, Site, wait_for

pytestmark = [
    pytest.mark.bench,
    pytest.mark.long,
    pytest.mark.timeout(1800),
    pytest.mark.filterwarnings("ignore::openstack.warnings.OpenStackDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]
ROOM = """name = "room"
kind = "classroom"
cloud = "openstack"
seats = 2
people = "people.csv"

[openstack]
cloud = "{cloud}"
guard = "shelve"

[machine]
type = "m1.small"
image = "debian-12-roost"

[access]
https = ["{caller}"]
address = "fixed"

[[volumes]]
name = "data"
size = "1GB"

[schedule]
idle = "3h"
"""
CERTIFICATE = "sha256sum < /etc/roost/secrets/desktop.crt"


def page(address: str) -> int:
    """The status of a seat's own page, whose certificate is its own."""
    context = ssl._create_unverified_context()
    with urllib.request.urlopen(address.partition("#")[0], timeout=60, context=context) as answer:
        return int(answer.status)


def passwords(room: Booted) -> dict[str, str]:
    seats = ("seat-1", "seat-2")
    return {one: room("open", f"room/{one}", "--json").json["password"] for one in seats}


def test_a_class_lives_from_up_to_down(site: Site, tmp_path: Path) -> None:
    assert site.machines is not None
    (tmp_path / "people.csv").write_text("seat,name\n1,Ada\n2,Grace\n")
    with booted(site, tmp_path, "room", desktop_packages(), "seat-1", "seat-1-data") as room:
        room("up", room.file(ROOM.format(cloud=CLOUD, caller=site.machines.caller)), "--yes")
        assert set(room.servers) == {"seat-1", "seat-2"}
        floats, before = room.floats, passwords(room)
        assert len(floats) == len(set(before.values())) == 2
        for address in floats:
            assert page(f"https://{address}/") == 200
        room("handout", "room", "-o", "cards.html")
        assert all(
            password in (tmp_path / "cards.html").read_text() for password in before.values()
        )

        room("message", "room", "Back at 2 pm")
        room("run", "room/seat-2", "--", "echo mine > /data/result; touch ~/gone")
        room("collect", "room", "results")
        assert (tmp_path / "results" / "seat-2" / "result").read_text() == "mine\n"
        room("extend", "room/seat-2", "1h")
        certificate = room.inside(CERTIFICATE, "seat-2")
        room("reset", "room/seat-2", "--yes")
        assert room.inside(CERTIFICATE, "seat-2") == certificate
        assert "mine" in room("run", "room/seat-2", "--", "cat /data/result").out
        assert room.roost("run", "room/seat-2", "--", "test -e ~/gone").code == 1
        wait_for(lambda: passwords(room) == before)
        assert room.floats == floats

        room("stop", "room/seat-1")
        assert room.servers["seat-1"].status == "SHELVED_OFFLOADED"
        partly = room.roost("run", "room", "--", "true")
        assert (partly.code, "seat-1" in partly.err) == (3, True)
        room("start", "room/seat-1")
        room("run", "room", "--", "true")
        shown = room("show", "room", "--json").json
        assert {i["state"] for i in shown["instances"]} == {"running"}
        assert room.floats == floats
        room("down", "room", "--yes", "--delete-data", "room")
        room.nothing_left()
