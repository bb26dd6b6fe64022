"""What stops a machine, as the commands tell it: what the machine enforces, not only its file."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from roost.cost.ledger import Ledger, Machine, Seen
from roost.cost.spent import There
from roost.model.limits import Limits
from roost.model.resources import State
from roost.ssh.paths import places
from tests.cli.calling import Roost, all_ready
from tests.cli.full import Full, done
from tests.cli.made import THERE

LIMITS = """
[schedule]
idle = "1h"
end = 2030-01-01T18:00:00+01:00
[budget]
usd = 50
"""


def test_a_start_with_a_budget_used_up_says_when_it_stops_and_what_to_type(
    desktop: Callable[[], State], roost: Roost, monkeypatch: pytest.MonkeyPatch
) -> None:
    desktop()
    done(roost("stop", "there"))
    because = "its budget ends: $51.20 of $50.00"
    all_ready(monkeypatch, Limits(stops_in_s=598, stops_because=because))
    told = roost("start", "there")
    assert (
        f"desktop will stop in 10 minutes: {because}; next: roost extend there --budget USD"
        in told.err
    )
    all_ready(monkeypatch, Limits(stops_in_s=598, stops_because=because, budget_unit="SU"))
    assert "next: roost extend there --budget SU" in roost("restart", "there").err
    because = "its end time is 2026-11-01 18:00 UTC+01:00"
    all_ready(monkeypatch, Limits(stops_in_s=540, stops_because=because))
    told = roost("restart", "there")
    assert f"will stop in 9 minutes: {because}; next: roost extend there 2h\n" in told.err


@pytest.fixture
def answers(
    cloud: Full,
    roost: Roost,
    write: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[dict[str, object]], None]:
    """``answers(limits)``: the desktop of a file with limits says this of itself by ssh."""
    done(roost("up", write(THERE + LIMITS), "--yes"))
    (machine,) = cloud.observe("there").instances
    places("there").make()
    places("there").pin(machine.id, "alias", ("ssh-ed25519 AAAA",))
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    monkeypatch.setenv("PATH", f"{ssh.parent}:/usr/bin:/bin")
    status = {"state": "done", "step": 3, "of": 3, "name": "ready"}

    def answer(limits: dict[str, object]) -> None:
        said = f"{json.dumps(status)}\\n--\\n{json.dumps(limits)}\\n"
        ssh.write_text(f"#!/bin/sh\nprintf '{said}'\n")
        ssh.chmod(0o755)

    return answer


def test_show_and_cost_say_what_the_machine_enforces_and_what_the_file_says(
    roost: Roost, answers: Callable[[dict[str, object]], None]
) -> None:
    because = "its budget ends: $40.10 of $40.00"
    answers(
        {
            "idle_s": 3600.0,
            "end": "2030-01-01T20:00:00+01:00",
            "budget_usd": 40.0,
            "budget_left_usd": 27.7,
            "last_stop": "2026-11-20T03:10:00+01:00",
            "last_stop_because": because,
        }
    )
    told = roost("show", "there")
    assert told.out.splitlines()[-4:-2] == [
        "STOPS    IDLE  END                         BUDGET",
        "desktop  1h    2030-01-01 20:00 UTC+01:00  $12.30 of $40.00",
    ]
    assert told.out.splitlines()[-1].startswith("an hour, as it is now: $")
    kept = (
        "desktop: the machine keeps to end 2030-01-01 20:00 UTC+01:00 (the file: 2030-01-01 18:00"
        " UTC+01:00), budget $40.00 (the file: $50.00); what changed in the file comes with"
        " `roost up there`"
    )
    assert kept in told.err
    assert f"desktop last stopped by itself at 2026-11-20 03:10 UTC+01:00: {because}" in told.err
    told = roost("cost", "there")
    assert "until its end time, 2030-01-01 20:00 UTC+01:00: " in told.out
    assert f"- {kept}" in told.out
    assert "budget $40.00: 0 % is used" in told.out
    (stops,) = roost("show", "there", "--json").json["limits"]
    assert (stops["file"]["budget_usd"], stops["machine"]["budget_usd"]) == (50, 40)
    assert roost("cost", "there", "--json").json["budget"]["usd"] == 40


def test_the_end_of_a_run_is_the_machines_own(
    cloud: Full, roost: Roost, answers: Callable[[dict[str, object]], None], write: Any
) -> None:
    """A file that says how long after each start has no time to compare with."""
    done(roost("up", write(f'{THERE}[schedule]\nafter = "8h"\n'), "--yes"))
    answers({"end": "2030-01-01T20:00:00+01:00"})
    told = roost("show", "there")
    assert "2030-01-01 20:00 UTC+01:00" in told.out
    assert "the machine keeps to" not in told.err


def test_a_machine_that_says_nothing_or_nonsense_is_told_by_its_file(
    roost: Roost, answers: Callable[[dict[str, object]], None]
) -> None:
    for nonsense in ({"end": "soon"}, {"budget_usd": "40"}, {"idle_s": [1]}, {"end": 1e400}):
        answers(nonsense)
        told = roost("show", "there")
        assert "desktop  1h    2030-01-01 18:00 UTC+01:00  $50.00  as the file says" in told.out
        assert "  ready" in told.out
        assert "the machine keeps to" not in told.err


def test_a_stopped_machine_is_off_because_a_limit_has_passed(
    roost: Roost, answers: Callable[[dict[str, object]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers({})
    done(roost("stop", "there"))
    assert "has passed" not in roost("show", "there").err
    monkeypatch.setattr("roost.app.ends.now", lambda: datetime(2030, 1, 2, tzinfo=UTC))
    told = roost("show", "there").err
    assert "the end time of there has passed: 2030-01-01 18:00 UTC+01:00" in told
    # 60 USD of m5.large at 0.096 and its address at 0.005 in us-east-1
    ran = Seen(Machine("m5.large"), int(datetime.now(UTC).timestamp()) - 594 * 3600)
    monkeypatch.setattr(
        Full, "history", lambda *_: (Ledger(), There((ran,), ran.since, ran.since + 594 * 3600))
    )
    assert "its budget is used up: $59.99 of $50.00" in roost("show", "there").err
