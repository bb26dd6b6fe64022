"""Every scene interrupted at every moment: killed, or with a fault; then the same command again.

What a killed process leaves is what its last effect left, and what time made of it since: so a
process is killed before and after every call that changes something, and at the first call after
every wait. Short scenes are killed at every call all the same.
"""

from __future__ import annotations

import contextlib

import pytest

from roost.errors import RoostError
from tests.aws.conftest import Account
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
def test_the_kill_sweep(account: Account, scene: str, blind: int, swept: dict[str, int]) -> None:
    """``blind``: what was just made cannot be seen by so many looks, nor by the next process."""
    moments, wanted = calm(account, scene)
    points = kill_points(moments)
    title = f"kill sweep, {scene}" + (", blind" if blind else "")
    for number, when in points:
        prepare(account, scene)
        account.ec2.weather = Weather(blind=blind, **{when: number})  # type: ignore[arg-type]
        if not killed(account, scene):
            assert number >= len(account.ec2.calls)  # this time it took fewer calls
            continue
        account.ec2.weather = Weather(blind=blind)
        SCENES[scene](account)
        assert summary(account) == wanted, (number, when)
        clean(account)
        swept[title] = swept.get(title, 0) + 1
    assert swept[title] >= len(points) - 6


def killed(account: Account, scene: str) -> bool:
    try:
        SCENES[scene](account)
    except Killed:
        return True
    return False


def fault_points(moments: list[Moment], fault: str) -> list[int]:
    """Every call that changes something; of looking, each kind of call where it comes first."""
    only = FAULTS_OF.get(fault)
    seen: set[str] = set()
    points = []
    for number, moment in enumerate(moments):
        first = moment.name not in seen
        seen.add(moment.name)
        able = only is None or moment.name in only
        if able and (moment.changes or first):
            points.append(number)
    return points


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("fault", [*FAULTS, *FAULTS_OF])
@pytest.mark.parametrize("scene", SCENES)
def test_the_fault_sweep(account: Account, scene: str, fault: str, swept: dict[str, int]) -> None:
    """One fault: it goes on, or stops with a message of roost's; then the same command again."""
    moments, wanted = calm(account, scene)
    # A failure inside AWS takes the same way as throttling: a part of it is enough.
    points = fault_points(moments, fault)[:: 3 if fault == "InternalError" else 1]
    for number in points:
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
        assert summary(account) == wanted, number
        clean(account)
    if points:
        swept[f"fault sweep, {fault}, {scene}"] = len(points)


@pytest.mark.parametrize("when", ["kill_before", "kill_after"])
def test_a_few_kills_of_a_park(account: Account, when: str) -> None:
    """A part of the sweep that runs by default."""
    moments, wanted = calm(account, "desktop park")
    changing = [n for n, moment in enumerate(moments) if moment.changes]
    for number in changing[::3]:
        prepare(account, "desktop park")
        account.ec2.weather = Weather(**{when: number})  # type: ignore[arg-type]
        assert killed(account, "desktop park")
        account.ec2.weather = Weather()
        SCENES["desktop park"](account)
        assert summary(account) == wanted, number
        clean(account)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_few_faults_of_up(account: Account, fault: str) -> None:
    """A part of the sweep that runs by default."""
    moments, wanted = calm(account, "cluster up")
    for number in range(0, len(moments), 4):
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
