"""Workers of rented machines that follow the work: ranges, and `roost follow`, on EC2 in memory."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from roost.app.follow import Follower
from roost.app.lifecycle import Running
from roost.app.scale import scale
from roost.errors import UnreachableError
from roost.machine import work
from roost.machine.common import Failed, Machine
from tests.aws.command_line import KILLED
from tests.aws.command_scenes import UP_CLUSTER, Play, R, Scene, Stage, calm
from tests.aws.conftest import Account
from tests.aws.strict import Weather
from tests.aws.test_cli import ok, roost
from tests.cli.calling import Roost
from tests.cli.test_json import SCHEMAS

__all__ = ["roost"]

FILE = """
name = "sums"
kind = "cluster"
cloud = "aws"
[aws]
region = "eu-central-1"
[head]
type = "m5.large"
[workers]
count = 1
type = "m5.large"
"""


class Head:
    """The head's own programs, on files of a folder; what waits and who is free is the test's."""

    def __init__(self, root: Path) -> None:
        self.machine = Machine(root)
        self.now = 0.0
        self.away = False
        self.takes = ""
        self.held = 0
        self.hook = root / "etc/roost/work.d/50-test"
        self.hook.parent.mkdir(parents=True)
        self.says(0, {})

    def says(self, needed: int, free: dict[str, float], **more: Any) -> None:
        self.known = sorted(free)
        told = {"needed": needed, "known": self.known, "free": free, **more}
        self.hook.write_text(
            '#!/bin/sh\n[ "$1" = look ] || { shift; echo "$@" >"$0.closed"; '
            'python3 -c "import json,sys; print(json.dumps({\\"closed\\": sys.argv[1:]}))" '
            f'$(echo "$@" | sed "s/{self.takes or "none"}//"); exit; }}\n'
            f"cat <<'END'\n{json.dumps(told)}\nEND\n"
        )
        self.hook.chmod(0o755)

    def stops_at(self, seconds: float, budget: float | None = None, spent: float = 0.0) -> None:
        """Let the head's guard have an end in so many seconds, and a budget of which so much is
        spent."""
        end = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
        facts = {"role": "head", "end": end, "budget": budget and {"usd": budget}}
        for path, content in (
            ("etc/roost/machine.json", facts),
            ("var/lib/roost/guard.json", {"spent": spent}),
        ):
            place = self.machine.at(f"/{path}")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(json.dumps(content))

    def asked(self, way: Any, words: list[str], **_: Any) -> str:
        assert way.node.name == "head"
        return self.answers(words)

    def answers(self, words: list[str]) -> str:
        assert words[:4] == ["sudo", "-n", "/usr/lib/roost/run", "work"]
        if self.away:
            raise UnreachableError("head does not answer")
        try:
            self.held += words[4] == "hold"
            return json.dumps(work.answer(self.machine, words[4:], self.now))
        except Failed as why:
            raise UnreachableError(str(why)) from None


@pytest.fixture
def head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Head:
    made = Head(tmp_path / "head")
    monkeypatch.setattr("roost.ssh.query.asked", made.asked)
    return made


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def put(more: str = "") -> Path:
        file = tmp_path / "sums.toml"
        file.write_text(FILE + more)
        return file

    return put


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


def workers(roost: Roost) -> list[str]:
    shown = ok(roost("show", "sums", "--json"))
    return sorted(i["name"] for i in shown["instances"] if i["role"] == "worker")


@pytest.mark.slow
def test_a_range_is_kept_with_the_name(
    roost: Roost, account: Account, head: Head, write: Callable[[str], Path]
) -> None:
    ok(roost("up", write(), "--yes"))
    told = roost("scale", "sums", "0..3", "--no-input")
    assert told.code == 4
    assert "up to 2 more workers, as the work needs them: $0.2478 an hour -> $0.4956" in told.err
    assert roost("scale", "sums", "0..").code == 2  # what could it cost?
    told = roost("follow", "sums", "--once")
    assert (told.code, "does not follow the work" in told.err) == (2, True)
    told = roost("scale", "sums", "0..3", "--yes")
    assert "between 0 and 3 (as `roost scale` says), while `roost follow sums` runs" in told.err
    said = {"workers": 1, "minimum": 0, "maximum": 3, "by": "`roost scale`"}
    assert ok(roost("show", "sums", "--json"))["follows"] == said
    shown = roost("show", "sums").out
    assert "workers: 1 of 0..3\nthe number of workers follows the work, between 0 and 3" in shown
    assert "2 running; workers: 1 of 0..3" in roost("ls").out

    head.says(2, {"worker-1": 0})
    told = roost("follow", "sums", "--once")  # agreed to with the range: nothing is asked
    assert "1 -> 2 workers" in ok(told)
    most = "up to $0.4956 an hour with 3 workers, as the work needs them"
    assert f"following the work of sums: {most}" in told.err
    (row,) = ok(roost("ls", "--json"))
    assert row["follows"] == {"workers": 2, "minimum": 0, "maximum": 3}
    assert workers(roost) == ["worker-1", "worker-2"]
    ok(roost("up", write(), "--no-input"))  # `up` neither adds nor takes away
    assert workers(roost) == ["worker-1", "worker-2"]
    assert ok(roost("show", "sums", "--json"))["follows"] == {**said, "workers": 2}
    told = roost("up", write("max = 5\n"), "--no-input")  # nothing is made, and more may be
    assert (told.code, "up to 2 more workers, as the work needs them" in told.err) == (4, True)
    ok(roost("up", write("max = 2\n"), "--yes"))  # the file says it now
    assert ok(roost("show", "sums", "--json"))["follows"] == {
        **said,
        "workers": 2,
        "maximum": 2,
        "by": "the file",
    }
    assert "workers: 2 of 0..2" in roost("ls").out
    assert roost("scale", "sums", "0..3", "--yes").code == 2
    ok(roost("scale", "sums", "1", "--yes"))
    assert (workers(roost), ok(roost("show", "sums", "--json"))["follows"]) == (["worker-1"], None)
    assert ok(roost("ls", "--json"))[0]["follows"] is None
    file = write("follow = { minimum = 0, maximum = 9, by = 'x' }\n")
    assert "no key of a file" in roost("plan", file).err


@pytest.mark.slow
def test_the_number_follows(
    roost: Roost, account: Account, head: Head, write: Callable[[str], Path]
) -> None:
    told = roost("up", write("min = 0\nmax = 3\n"), "--no-input")
    assert told.code == 4
    assert "rents machines for $0.2478 an hour (up to $0.4956 an hour with 3 workers" in told.err
    ok(roost("up", write("min = 0\nmax = 3\n"), "--yes"))
    assert "1 of 0..3" in roost("ls").out
    once = ("follow", "sums", "--once", "--json")
    head.says(9, {})
    grown = ok(roost(*once))
    assert (grown["before"], grown["workers"], grown["needed"]) == (1, 3, 9)  # never above it
    assert set(grown) == set(SCHEMAS["follow.schema.json"]["properties"])
    assert grown["costs"].endswith(" an hour")

    head.says(3, {"worker-1": 0, "worker-3": 400}, down=["worker-3"])
    assert ok(roost(*once))["went"] == ["worker-3"]
    assert ok(roost(*once))["workers"] == 3
    assert workers(roost) == ["worker-1", "worker-2", "worker-3"]

    head.takes = "worker-3"  # a task came to it meanwhile
    head.says(0, {"worker-1": 5, "worker-2": 400, "worker-3": 400})
    shrunk = ok(roost(*once))
    assert (shrunk["workers"], shrunk["went"]) == (2, ["worker-2"])
    assert (head.hook.parent / "50-test.closed").read_text() == "worker-2 worker-3\n"
    assert workers(roost) == ["worker-1", "worker-3"]
    head.takes = ""
    head.says(0, {"worker-1": 5, "worker-3": 400})
    assert roost(*once, "--quiet", "1h").out == ""
    head.says(0, {"worker-1": 400, "worker-3": 400})
    assert ok(roost(*once))["workers"] == 0
    head.says(0, {}, jobs=[])
    ok(roost("stop", "sums"))
    assert (roost(*once).code, roost(*once).out) == (0, "")  # what is stopped asks for nothing


@pytest.mark.slow
def test_a_second_follower_is_told_who_follows_and_trouble_passes(
    roost: Roost,
    account: Account,
    head: Head,
    write: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ok(roost("up", write("min = 0\nmax = 2\n"), "--yes"))
    work.answer(head.machine, ["look", "ana@desk (7)", "60", "2"], head.now)
    told = roost("follow", "sums", "--once")
    assert (told.code, "ana@desk (7) follows sums already" in told.err) == (1, True)
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        head.now += seconds
        head.away = len(naps) in (4, 5)  # the network fails twice
        head.says(2, {})
        if len(naps) == 7:
            raise KeyboardInterrupt

    monkeypatch.setattr("roost.app.follow.Follower", partial(Follower, sleep=nap))
    told = roost("follow", "sums")
    assert told.code == 130
    assert naps == [20, 20, 20, 20, 20, 40, 20]  # ana's 60 s are over, then two failures
    assert "1 -> 2 workers (the work needs 2), $0." in told.out
    assert "head does not answer; another look in 20 s" in told.err
    assert "left as it is: head running, worker-1 running, worker-2 running; it costs" in told.err
    told = work.answer(head.machine, ["look", "ben", "60", "2"], head.now)
    assert told["needed"] == 2  # the name is free again


@pytest.mark.slow
def test_others_wait_while_it_is_at_work_and_soon_go_on_after_a_kill(
    stage: Callable[[Scene], Stage], tmp_path: Path
) -> None:
    """Killed before and after each call by which workers are made: a minute later the next one
    comes to the same end."""
    scene = Scene("follow ndvi --once --yes", (UP_CLUSTER, "scale ndvi 0..4 --yes"))
    there, head = stage(scene), Head(tmp_path / "head")
    head.says(4, {"worker-1": 0, "worker-2": 0})

    def play(scenario: Callable[[Play], R]) -> R:
        def with_head(play: Play) -> R:
            def answers(words: list[str]) -> str:
                head.now = play.account.now
                return head.answers(words)

            play.double.head = answers
            return scenario(play)

        head.machine.at(work.LEASE).unlink(missing_ok=True)
        return there.visit(with_head)

    def killed(play: Play, weather: Weather) -> int:
        assert play.once(weather).code == KILLED
        again = "follow ndvi --once --yes --region eu-central-1"
        told = play.call(again, computer="other")
        assert (told.code, "follows ndvi already" in told.err) == (1, True), told.err
        play.account.settle()  # 100 s
        assert play.call(again, computer="other").code == 0
        state = play.account.roost().observe("ndvi")
        return sum(i.role == "worker" and i.state == "running" for i in state.instances)

    moments, _ = play(calm)
    points = [n for n, m in enumerate(moments) if m.name in ("RunInstances", "CreateTags")]
    assert points
    for n in points:
        assert play(lambda each: killed(each, Weather(kill_before=n))) == 4  # noqa: B023
        assert play(lambda each: killed(each, Weather(kill_after=n))) == 4  # noqa: B023


@pytest.mark.slow
def test_while_it_is_at_work_it_says_so(
    roost: Roost,
    account: Account,
    head: Head,
    write: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten minutes of a change, of which nobody else may begin to follow in any."""
    ok(roost("up", write("min = 0\nmax = 2\n"), "--yes"))
    head.says(2, {"worker-1": 0})
    told: list[str] = []

    def slowly(*words: Any, **more: Any) -> Running:
        for _ in range(12):
            head.now += 50
            held = head.held
            wait_until(lambda: head.held > held + 1)  # noqa: B023 - at once
            told.append(work.answer(head.machine, ["look", "ben", "60", "2"], head.now)["follower"])
        return scale(*words, **more)

    monkeypatch.setattr("roost.app.follow.Follower", partial(Follower, renew=0.001))
    monkeypatch.setattr("roost.app.scale.scale", slowly)
    assert ok(roost("follow", "sums", "--once", "--json"))["workers"] == 2
    assert len(told) == 12
    assert work.answer(head.machine, ["look", "ben", "60", "2"], head.now)["needed"] == 2


@pytest.mark.slow
def test_what_would_be_stopped_at_once_is_not_rented(
    roost: Roost, account: Account, head: Head, write: Callable[[str], Path]
) -> None:
    """The head's own limits count: it was extended, or has spent more than anybody here knows."""
    soon = (datetime.now(UTC) + timedelta(minutes=14)).isoformat(timespec="seconds")
    limits = f'[schedule]\nend = "{soon}"\n[budget]\nusd = 5\n'
    file = write(f"min = 0\nmax = 4\n{limits}")
    ok(roost("up", file, "--yes"))
    head.stops_at(600)
    head.says(4, {"worker-1": 0})
    once = ("follow", "sums", "--once", "--json")
    told = roost(*once)
    assert (told.code, told.out) == (0, "")
    assert "sums: no more workers are rented: its end time is 20" in told.err
    assert "; for more: roost extend sums 2h" in told.err
    assert workers(roost) == ["worker-1"]
    head.says(0, {"worker-1": 400})
    assert ok(roost(*once))["workers"] == 0  # it shrinks as ever
    head.stops_at(7200, budget=5.0, spent=4.9)  # extended: that pays for two, for 15 minutes
    head.says(4, {})
    told = roost(*once)
    assert (ok(told)["workers"], ok(told)["held"][:24]) == (2, "$0.10 of its budget is l")
    assert "$0.10 of its budget is left; for more: roost extend sums --budget AMOUNT" in told.err
    head.machine.at("/etc/roost/machine.json").unlink()  # it holds to nothing
    assert ok(roost(*once))["workers"] == 4


def test_another_computer_asks_before_it_rents(
    roost: Roost,
    account: Account,
    head: Head,
    write: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    ok(roost("up", write("min = 0\nmax = 4\n"), "--yes"))
    monkeypatch.setenv("ROOST_HOME", str(tmp_path / "elsewhere"))
    head.says(2, {})
    told = roost("follow", "sums", "--once", "--no-input", "--region", "eu-central-1")
    assert told.code == 4
    assert "up to 3 more workers, as the work needs them" in told.err
    ok(roost("follow", "sums", "--once", "--yes", "--region", "eu-central-1"))
    head.says(4, {"worker-1": 0, "worker-2": 0})
    ok(roost("follow", "sums", "--once", "--no-input", "--region", "eu-central-1"))
    shown = ok(roost("show", "sums", "--json", "--region", "eu-central-1"))
    assert sum(one["role"] == "worker" for one in shown["instances"]) == 4
