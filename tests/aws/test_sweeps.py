"""Every scene interrupted at every moment: killed, or with a fault; then the same command again.

What a killed process leaves is what its last effect left, and what time made of it since: so a
process is killed before and after every call that changes something, and at the first call after
every wait. Short scenes are killed at every call all the same. By default a sample of these points
is gone through; ``make sweep`` goes through all (tests/aws/sampling.py).
"""

from __future__ import annotations

import contextlib

import pytest

from roost.errors import RoostError
from tests.aws.conftest import Account
from tests.aws.sampling import Sweep
from tests.aws.scenes import SCENES, calm, clean, prepare, summary
from tests.aws.strict import Killed, Moment, Weather

SHORT = 30
"""Calls up to which a scene is killed at every one of them."""
KILLS = [
    *((scene, 0) for scene in SCENES),
    ("desktop up", 3),
    ("cluster up", 3),
    ("cluster grow", 3),
    ("desktop park", 3),
    ("desktop resume", 3),
    ("desktop park s3", 3),
    ("desktop resume s3", 3),
]
FAULTS = ("RequestLimitExceeded", "InternalError", "lost answer", "ExpiredToken")
FAULTS_OF = {
    "InsufficientInstanceCapacity": ("RunInstances", "StartInstances"),
    "DependencyViolation": ("DeleteSecurityGroup", "DeleteVolume", "DeregisterImage"),
    "IncorrectState": ("AttachVolume", "CreateSnapshot", "CreateImage", "ModifyVolume"),
}
"""Faults that only these calls can have."""


def kill_points(moments: list[Moment]) -> list[tuple[int, str]]:
    """The number of a call, and whether before or after it."""
    points = []
    for number, moment in enumerate(moments):
        if moment.changes or len(moments) <= SHORT:
            points += [(number, "kill_before"), (number, "kill_after")]
        elif moment.waited:
            points.append((number, "kill_before"))
    return points


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("scene", "blind"), KILLS)
def test_the_kill_sweep(account: Account, scene: str, blind: int, sweep: Sweep) -> None:
    """``blind``: what was just made cannot be seen by so many looks, nor by the next process."""
    moments, wanted = calm(account, scene)
    points = kill_points(moments)
    last = points[-6:]

    def visit(point: tuple[int, str]) -> None:
        number, when = point
        prepare(account, scene)
        account.ec2.weather = Weather(blind=blind, **{when: number})  # type: ignore[arg-type]
        if killed(account, scene):
            account.ec2.weather = Weather(blind=blind)
            SCENES[scene](account)
        else:  # this time it took fewer calls
            assert number >= len(account.ec2.calls)
            assert point in last
        assert summary(account) == wanted
        clean(account)

    sweep.through(f"kill sweep, {scene}" + (", blind" if blind else ""), points, visit)


def killed(account: Account, scene: str) -> bool:
    try:
        SCENES[scene](account)
    except Killed:
        return True
    return False


def fault_points(moments: list[Moment]) -> list[tuple[str, int]]:
    """Each fault at every call that can have it and changes something.

    And at the first of each kind of the calls that only look.
    """
    first = {moment.name: number for number, moment in reversed([*enumerate(moments)])}
    points = []
    for fault in (*FAULTS, *FAULTS_OF):
        able = FAULTS_OF.get(fault, tuple(first))
        numbers = [
            number
            for number, moment in enumerate(moments)
            if moment.name in able and (moment.changes or number == first[moment.name])
        ]
        # A failure inside AWS takes the same way as throttling: a part of it is enough.
        points += [(fault, number) for number in numbers[:: 3 if fault == "InternalError" else 1]]
    return points


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scene", SCENES)
def test_the_fault_sweep(account: Account, scene: str, sweep: Sweep) -> None:
    """One fault: it goes on, or stops with a message of roost's; then the same command again."""
    moments, wanted = calm(account, scene)

    def visit(point: tuple[str, int]) -> None:
        fault, number = point
        prepare(account, scene)
        account.ec2.weather = (
            Weather(lost_answers=frozenset({number}))
            if fault == "lost answer"
            else Weather(errors={number: fault})
        )
        with contextlib.suppress(RoostError):
            SCENES[scene](account)
        account.ec2.weather = Weather()
        SCENES[scene](account)
        assert summary(account) == wanted
        clean(account)

    sweep.through(f"fault sweep, {scene}", fault_points(moments), visit)


@pytest.mark.parametrize("when", ["kill_before", "kill_after"])
def test_a_few_kills_of_a_park(account: Account, when: str) -> None:
    """A part of the sweep that runs by default: one change in three, before it or after it."""
    moments, wanted = calm(account, "desktop park")
    changing = [n for n, moment in enumerate(moments) if moment.changes]
    for number in changing[3 * (when == "kill_after") :: 6]:
        prepare(account, "desktop park")
        account.ec2.weather = Weather(**{when: number})  # type: ignore[arg-type]
        assert killed(account, "desktop park")
        account.ec2.weather = Weather()
        SCENES["desktop park"](account)
        assert summary(account) == wanted, number
        clean(account)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_few_faults_of_up(account: Account, fault: str) -> None:
    """A part of the sweep that runs by default; each fault is at other calls."""
    moments, wanted = calm(account, "cluster up")
    for number in range(2 * FAULTS.index(fault), len(moments), 8):
        prepare(account, "cluster up")
        lost = frozenset({number}) if fault == "lost answer" else frozenset()
        errors = {} if lost else {number: fault}
        account.ec2.weather = Weather(lost_answers=lost, errors=errors)
        with contextlib.suppress(RoostError):
            SCENES["cluster up"](account)
        account.ec2.weather = Weather()
        SCENES["cluster up"](account)
        assert summary(account) == wanted, number
        clean(account)
