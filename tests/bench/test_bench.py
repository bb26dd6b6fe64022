"""The bench itself: machines that boot, through the real command and through EC2's calls."""

from __future__ import annotations

import pytest

from tests.bench.bench import Bench, Roost

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

CLASSROOM = """\
name = "room"
kind = "classroom"
cloud = "aws"
seats = 2

[aws]
region = "{region}"

[machine]
type = "t3.small"
image = "debian-12"
disk = "8GB"

[access]
ssh = ["{caller}"]
"""


def spec(bench: Bench, text: str) -> str:
    return text.format(region=bench.region, caller=bench.caller)


def test_a_classroom_lives_from_up_to_down(bench: Bench, roost: Roost) -> None:
    file = roost.file(spec(bench, CLASSROOM))
    roost("up", file, "--yes").ok()
    for seat in ("seat-1", "seat-2"):
        bench.machine("room", seat).booted()
        assert roost("ssh", "room", seat, "--", "hostname").ok().out == f"room-{seat}\n"
    roost("ssh", "room", "seat-1", "--", "sh", "-c", "echo here > kept").ok()

    roost("stop", "room").ok()
    assert bench.machine("room", "seat-1").state == "stopped"
    roost("start", "room").ok()
    bench.machine("room", "seat-1").booted()
    assert roost("ssh", "room", "seat-1", "--", "cat", "kept").ok().out == "here\n"

    roost("down", "room", "--yes").ok()
    assert bench.left() == {}
