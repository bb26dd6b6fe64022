"""Many machines at once, and one of them that cannot set itself up."""

from __future__ import annotations

import json

import pytest

from tests.bench.bench import Bench, Roost
from tests.bench.seats import CLASSROOM, spec

pytestmark = [pytest.mark.bench, pytest.mark.by_turns, pytest.mark.timeout(1200)]

BROKEN = "#!/bin/sh\necho the mirror has no such package\nexit 7\n"
HOOK = "/etc/roost/setup.d/50-lab"


def test_eight_come_up_together_and_one_that_fails_is_named_and_mended(
    bench: Bench, roost: Roost
) -> None:
    file = roost.file(spec(bench, CLASSROOM).replace("seats = 2", "seats = 8"))
    up = roost("up", file, "--yes").ok()
    assert "8 seats" in up.err
    shown = json.loads(roost("show", "room", "--json").ok().out)
    assert {i["note"] for i in shown["instances"]} == {"ready"}

    # The set-up of one fails from now on; it begins anew when the machine starts.
    third = bench.machine("room", "seat-3")
    third.run("sh", "-c", f"cat > {HOOK} && chmod +x {HOOK}", text=BROKEN).ok()
    roost("stop", "room").ok()
    failed = roost("start", "room")
    assert failed.code == 1, failed.err
    assert "set-up failed on seat-3: " in failed.err
    assert "50-lab ended with 7: the mirror has no such package" in failed.err
    assert "7 others are ready" in failed.err
    assert "Traceback" not in failed.err
    assert roost("ssh", "room", "seat-7", "--", "hostname").ok().out == "room-seat-7\n"
    shown = json.loads(roost("show", "room", "--json").ok().out)
    notes = {i["name"]: i["note"] for i in shown["instances"]}
    assert notes["seat-3"].startswith("set-up failed: ")
    assert notes["seat-8"] == "ready"

    third.run("rm", HOOK).ok()
    roost("up", "room", "--yes").ok()
    shown = json.loads(roost("show", "room", "--json").ok().out)
    assert {i["note"] for i in shown["instances"]} == {"ready"}
    roost("down", "room", "--yes").ok()
    assert bench.left() == {}
