"""The data law on AWS: no sequence of commands, kills and faults deletes what nothing else holds.

Not even by hand in between: somebody may start a parked machine's leftovers in the console.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from roost.errors import RoostError
from roost.model.resources import Volume
from tests.aws.conftest import Account
from tests.aws.moto_account import empty_aws
from tests.aws.scenes import DESKTOP, LARGER
from tests.aws.strict import Killed, Weather
from tests.sampling import Sweep, the_sample

SCRATCH = Volume(name="scratch", size_gib=50, type="gp3", holder="desktop", mount="/s", slot=1)
BOTH = replace(DESKTOP, volumes=(*DESKTOP.volumes, SCRATCH))
ACTS: dict[str, Any] = {
    "up": lambda a: a.up(BOTH),
    "up larger": lambda a: a.up(replace(BOTH, volumes=(replace(BOTH.volumes[0], size_gib=600),))),
    "stop": lambda a: a.stop("stars"),
    "resize": lambda a: a.resize(replace(LARGER, volumes=BOTH.volumes), "desktop"),
    "park": lambda a: a.park("stars"),
    "park half": lambda a: a.park("stars", data="snapshot", scratch="keep"),
    "park s3": lambda a: a.park("stars", data="s3", scratch="s3"),
    "park s3 half": lambda a: a.park("stars", data="s3", scratch="snapshot"),
    "park archive": lambda a: a.park("stars", data="archive"),
    "down": lambda a: a.down("stars"),
}
FAULTS = ("kill_before", "kill_after", "lost", "InternalError", "ExpiredToken", "none")


def start_by_hand(account: Account) -> None:
    """Somebody starts what is stopped, in the console, and it writes to its volumes."""
    ec2 = account.client
    for reservation in ec2.describe_instances()["Reservations"]:
        for instance in reservation["Instances"]:
            if instance["State"]["Name"] == "stopped":
                ec2.start_instances(InstanceIds=[instance["InstanceId"]])
    account.settle()


ACTS["by hand"] = start_by_hand


def weather(fault: str, at: int) -> Weather:
    if fault in ("kill_before", "kill_after"):
        return Weather(**{fault: at})  # type: ignore[arg-type]
    if fault == "lost":
        return Weather(lost_answers=frozenset({at}))
    return Weather() if fault == "none" else Weather(errors={at: fault})


moments = st.tuples(st.sampled_from(sorted(ACTS)), st.sampled_from(FAULTS), st.integers(0, 60))


def obey(acts: list[tuple[str, str, int]]) -> None:
    """Play the acts; nothing may be lost, and the end must be clean."""
    with TemporaryDirectory() as folder, empty_aws():
        account = Account(Path(folder))
        account.up(BOTH)
        for act, fault, at in acts:
            if act != "by hand":  # the console is no concern of ours
                account.ec2.weather = weather(fault, len(account.ec2.calls) + at)
            with contextlib.suppress(Killed, RoostError):
                ACTS[act](account)
            account.ec2.weather = Weather()
            assert account.ec2.lost == [], act
        account.settle()
        for _ in range(3):
            account.up(BOTH)
            account.settle()
        state = account.up(BOTH)
        assert {v.name: v.state for v in state.volumes} == {
            "data": "attached",
            "scratch": "attached",
        }
        assert account.ec2.lost == []
        account.ec2.discarded = {"data", "scratch"}
        account.down("stars", frozenset({"stars"}))
        assert account.left() == {}


calm = settings(deadline=None, suppress_health_check=list(HealthCheck), database=None)


@settings(calm, derandomize=True, max_examples=4)
@given(st.lists(moments, min_size=1, max_size=3))
def test_nothing_is_lost_shortly(credentials: None, acts: list[tuple[str, str, int]]) -> None:
    obey(acts)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@seed(the_sample().number)
@settings(calm, max_examples=the_sample().examples(60))
@given(st.lists(moments, min_size=2, max_size=6))
def test_nothing_is_lost(credentials: None, acts: list[tuple[str, str, int]]) -> None:
    obey(acts)


@pytest.mark.slow
@pytest.mark.timeout(3600)  # all of its points, on a busy computer
def test_a_park_broken_off_and_a_start_by_hand(account: Account, sweep: Sweep) -> None:
    """At each call: the machine that a broken park left stopped is started in the console."""
    account.up(DESKTOP)
    account.settle()
    begun = len(account.ec2.calls)
    account.park("stars")
    calls = len(account.ec2.calls) - begun
    account.up(DESKTOP)

    def visit(at: int) -> None:
        account.settle()
        account.ec2.weather = Weather(kill_after=len(account.ec2.calls) + at)
        with contextlib.suppress(Killed):
            account.park("stars")
        account.ec2.weather = Weather()
        account.settle()
        start_by_hand(account)
        account.park("stars")
        assert account.ec2.lost == [], at
        account.up(DESKTOP)
        assert account.ec2.lost == [], at

    sweep.through("start by hand in a broken park", range(0, calls, 3), visit)
