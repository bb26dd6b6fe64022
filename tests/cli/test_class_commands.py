"""A class by the command line: one seat or all of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.calling import Roost, all_ready
from tests.cli.full import Full, done, machines

ROOM = """\
name = "room"
kind = "classroom"
cloud = "aws"
seats = 3
[aws]
region = "us-east-1"
[machine]
cpus = 2
[[volumes]]
name = "data"
size = "10GB"
"""


def states(cloud: Full) -> list[str]:
    return [state for _, (_, state) in sorted(machines(cloud.observe("room")).items())]


def test_one_seat_is_stopped_started_and_restarted_by_its_name(
    cloud: Full, roost: Roost, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    done(roost("up", write(ROOM), "--yes"))
    told = done(roost("stop", "room/seat-2"))
    assert "room/seat-2 is stopped; `roost start room/seat-2` brings it back" in told
    assert states(cloud) == ["running", "stopped", "running"]
    assert "room/seat-2 is stopped" in done(roost("stop", "room/seat-2"))  # again changes nothing
    handed = all_ready(monkeypatch)
    done(roost("start", "room/seat-2", "--no-input"))
    assert states(cloud) == ["running"] * 3
    assert handed == ["seat-2"]  # the others are left alone
    done(roost("restart", "room/seat-3"))
    assert cloud.restarted == ("seat-3",)
    assert handed == ["seat-2", "seat-3"]
    done(roost("restart", "room", "seat-1"))  # the old form
    assert cloud.restarted == ("seat-3", "seat-1")


@pytest.mark.parametrize("verb", ["stop", "start", "restart", "open", "logs"])
def test_a_seat_that_is_not_there_is_named_with_those_that_are(
    verb: str, cloud: Full, roost: Roost, write: Callable[..., Path]
) -> None:
    done(roost("up", write(ROOM), "--yes"))
    told = roost(verb, "room/seat-9")
    assert (told.code, "seat-9" in told.err) == (2, True), told.err
    assert states(cloud) == ["running"] * 3
    if verb in ("restart", "logs"):
        both = roost(verb, "room/seat-1", "seat-2")
        assert (both.code, "two machines are named" in both.err) == (2, True)
