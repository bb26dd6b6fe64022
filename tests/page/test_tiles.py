"""The wall of a class: what a tile says, when it is red, and what of a seat's word is taken."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from roost.model.glance import LARGEST, Glance, Picture, parse
from roost.page.tiles import YOUNG, Heard, Look, Moment, Seen, summary, tile
from tests.ssh.made_state import instance

NOW = Moment(heard=100.0, wall=1_000_000.0)
OLD = NOW.wall - 10 * YOUNG
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000") + bytes.fromhex(
    "ffc0001108000a001003012200021101031101ffd9"
)
"""The head of a JPEG of 16 by 10 pixels, and its end."""
WELL = Glance(seat="seat-7", used=4000, memory=16000, idle_s=800.0)


def look(glance: Glance | None = WELL, age: float = 1, ever: bool = True, **machine: Any) -> str:
    heard = Heard(glance, NOW.heard - age, ever) if glance is not None else None
    one = instance("seat-7", 7, **{"started": OLD, **machine})
    return tile(Seen(seat="seat-7", instance=one, heard=heard), NOW).look


def test_a_tile_is_red_where_its_seat_needs_somebody_and_nowhere_else() -> None:
    silent, refused = (Glance(seat="seat-7", miss=miss) for miss in ("silent", "refused"))
    young = NOW.wall - 60
    cases: list[tuple[str, Look]] = [
        (look(), "well"),
        (look(silent), "red"),
        (look(refused), "red"),
        (look(refused, ever=False, started=young), "wait"),  # at its set-up
        (look(refused, ever=True, started=young), "red"),
        (look(Glance(seat="seat-7", failed=True, error="no room")), "red"),
        (look(Glance(seat="seat-7", hand=True)), "hand"),
        (look(Glance(seat="seat-7", hand=True, failed=True)), "red"),
        (look(Glance(seat="seat-7", miss="password")), "unknown"),
        (look(age=30), "unknown"),  # nobody hears the gateway: that is not this seat's fault
        (look(silent, age=30), "unknown"),
        (look(None), "wait"),
        (look(state="stopped"), "off"),
        (look(state="stopping"), "off"),
        (look(state="pending"), "wait"),
        (look(state="failed"), "red"),
        (look(state="deleting"), "red"),
        (look(aside=True), "off"),
        (look(health="EC2's check of its system fails"), "well"),  # it answers; the tile says so
        (tile(Seen(seat="seat-7"), NOW).look, "red"),  # its machine is gone
    ]
    assert [(n, found) for n, (found, wanted) in enumerate(cases) if found != wanted] == []


def test_a_tile_says_who_and_how_and_the_line_above_which_seats_need_somebody() -> None:
    seen = Seen(
        seat="seat-7", instance=instance("seat-7", 7), heard=Heard(WELL, 99.0, True), mark="ab"
    )
    well = tile(seen, NOW)
    assert (well.number, well.idle, well.memory, well.full) == (7, "idle 13 min", 25, False)
    full = Glance(seat="seat-7", used=15900, memory=16000, idle_s=6000.0, error="memory was full")
    found = tile(Seen(seat="seat-7", instance=seen.instance, heard=Heard(full, 99.0)), NOW)
    assert (found.idle, found.full, found.error) == ("idle 1.7 h", True, "memory was full")
    off = tile(Seen(seat="seat-2", instance=instance("seat-2", 2, state="stopped"), mark="ab"), NOW)
    assert (off.mark, off.memory) == ("", None)  # no old picture of a machine that is off
    red = tile(Seen(seat="seat-3"), NOW)
    assert summary([well, off]) == "1 off, 1 well."
    assert summary([well, red]) == "Seat 3 needs you: its machine is gone. 1 well."
    assert summary([red] * 2 + [well]).startswith("Seats 3, 3 need you. ")
    hand = tile(
        Seen(
            seat="seat-4", instance=instance("seat-4", 4), heard=Heard(replace(WELL, hand=True), 99)
        ),
        NOW,
    )
    assert (hand.word, hand.memory) == ("asks for help", 25)
    assert summary([hand, well]) == "Seat 4 asks for help. 1 well."
    said = "Seat 3 needs you: its machine is gone. Seats 4, 4 ask for help. 1 well."
    assert summary([hand, red, hand, well]) == said
    # Without a gateway nobody asks the seats; what the cloud says is all.
    assert tile(seen, NOW, watched=False).look == "unknown"
    bad = instance("seat-7", 7, health="EC2's check of its system fails")
    assert tile(Seen(seat="seat-7", instance=bad), NOW, watched=False).look == "red"


def line(seat: object = "seat-7", **answer: Any) -> bytes:
    told = {"hash": "0123456789abcdef", "picture": base64.b64encode(JPEG).decode(), **answer}
    inner = base64.b64encode(json.dumps(told).encode()).decode()
    return json.dumps({"seat": seat, "answer": inner}).encode() + b"\n"


def test_a_seats_word_is_taken_where_it_is_one() -> None:
    found = parse(line(memory=[100, 200], idle_s=3.5, failed=False, error="a\x1b[31m" + "b" * 999))
    assert found is not None
    assert found.picture == Picture(JPEG, "0123456789abcdef")
    assert (found.used, found.memory, found.idle_s) == (100, 200, 3.5)
    assert found.error.startswith("a[31mb")
    assert len(found.error) == 200
    same = parse(line(picture=None))
    assert same is not None
    assert same.picture is None
    missed = parse(b'{"seat": "seat-7", "error": "silent"}')
    assert missed == Glance(seat="seat-7", miss="silent")


@pytest.mark.parametrize(
    "picture",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<!DOCTYPE html><script>alert(1)</script>",
        b"\x89PNG\r\n\x1a\n" + bytes(64),
        JPEG[:-2],
        JPEG.replace(b"\xff\xc0", b"\xff\xc2"),  # progressive: many scans of little data
        JPEG.replace(bytes.fromhex("000a0010"), bytes.fromhex("ffff ffff")),
        JPEG.replace(bytes.fromhex("000a0010"), bytes(4)),
        b"\xff\xd8\xff\xe0\x00\x00\xff\xd9",
        b"\xff\xd8\xff" + bytes(LARGEST) + b"\xff\xd9",
        b"",
    ],
)
def test_what_is_no_small_picture_is_none(picture: bytes) -> None:
    found = parse(line(picture=base64.b64encode(picture).decode()))
    assert found is not None
    assert found.picture is None


def test_nonsense_is_nothing_and_harms_nobody() -> None:
    for text in (b"", b"{", b"[]", b"7", b'{"seat": 7, "answer": ""}', b'{"seat": "a"}', b"\xff"):
        assert parse(text) is None, text
    assert parse(b'{"seat": "seat-7", "error": "<b>"}') is None
    assert parse(b'{"seat": "seat-7", "answer": "' + base64.b64encode(b"[" * 9999) + b'"}') is None
    wrong = parse(line(picture=7, hash=[], memory=[9, 2], idle_s=float("inf"), failed=1, error={}))
    assert wrong == Glance(seat="seat-7")
    odd = parse(line(memory=[True, 2], idle_s=-1, hash="../../etc/passwd"))
    assert odd == Glance(seat="seat-7")
