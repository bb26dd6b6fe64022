"""Commands as users type them, interrupted at every moment; then the same command again.

Each command is a process of its own, which is killed (SIGKILL) before and after every call that
changes something, before every change of a file of its own, and at the first call after every wait.
Or one call fails. Then the same words come to the same end: nothing lost, nothing made twice,
nothing left over. By default a sample of these points is gone through; ``make sweep`` goes through
all (tests/sampling.py).

A point begins with a copy of the prepared account, made by a fork of this process
(tests/aws/command_scenes.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.aws.command_line import CHANGE, KILLED
from tests.aws.command_scenes import (
    DISCARD,
    DOWN,
    PARK,
    PARK_CLUSTER,
    RESUME,
    S3,
    SCENES,
    UP,
    Play,
    Scene,
    Stage,
    calm,
)
from tests.aws.strict import Moment, Weather
from tests.sampling import Sweep

BLIND = (
    "desktop up",
    "cluster up",
    "desktop park s3",
    "desktop resume s3",
    "image bake",
)
"""Scenes that are played, too, where what was just made is not seen by the next three looks."""
KILLS = [*((scene, 0) for scene in SCENES), *((scene, 3) for scene in BLIND)]
FAULTS = ("RequestLimitExceeded", "InternalError", "ExpiredToken")
FAULTS_OF = {
    "InsufficientInstanceCapacity": ("RunInstances", "StartInstances"),
    "DependencyViolation": ("DeleteSecurityGroup", "DeleteVolume", "DeregisterImage"),
    "IncorrectState": ("AttachVolume", "CreateSnapshot", "CreateImage", "ModifyVolume"),
}
"""Faults that only these calls can have."""
FAILED = (0, 1, 3, 5)
"""How a command may end that met a fault: never with 2, for its words were right."""


def kill_points(moments: list[Moment]) -> list[tuple[int, str]]:
    """The number of a moment, and whether before or after it."""
    points = []
    for number, moment in enumerate(moments):
        if moment.changes:
            points.append((number, "kill_before"))
            if not moment.name.startswith(CHANGE):
                points.append((number, "kill_after"))
        elif moment.waited:
            points.append((number, "kill_before"))
    return points


def killed(play: Play, point: tuple[int, str], blind: int) -> dict[str, Any]:
    """What is there when the command was killed, and was given again."""
    number, when = point
    ran = play.once(Weather(blind=blind, **{when: number}))  # type: ignore[arg-type]
    assert ran.code == KILLED, ran.err
    play.again()
    return play.end()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("scene", "blind"), KILLS)
def test_the_kill_sweep(
    stage: Callable[[Scene], Stage], scene: str, blind: int, sweep: Sweep
) -> None:
    """``blind``: what was just made cannot be seen by so many looks, nor by the next process."""
    there = stage(SCENES[scene])
    moments, wanted = there.visit(lambda play: calm(play, Weather(blind=blind)))

    def visit(point: tuple[int, str]) -> None:
        assert there.visit(lambda play: killed(play, point, blind)) == wanted

    title = f"kill sweep, {scene}" + (", blind" if blind else "")
    sweep.through(title, kill_points(moments), visit)


OTHERWISE = {
    "desktop up": DOWN,
    "desktop up grown": PARK,
    "desktop stop": "start stars",
    "desktop resize": PARK,
    "desktop park": RESUME,
    "desktop park s3": RESUME,
    "desktop park discard": RESUME,
    "desktop resume": PARK,
    "desktop resume s3": S3,
    "desktop down": UP,
    "cluster up": "down ndvi --yes",
    "cluster scale up": "scale ndvi 1 --yes",
    "cluster park": "resume ndvi --yes",
    "cluster resume": PARK_CLUSTER,
    "class up": "down course --yes",
}
"""What somebody types who has thought better of a command that was killed."""


def otherwise(play: Play, point: tuple[int, str], line: str) -> None:
    number, when = point
    ran = play.once(Weather(**{when: number}))  # type: ignore[arg-type]
    assert ran.code == KILLED, ran.err
    ran = play.call(line)
    assert ran.code == 0 or (ran.code in (1, 2, 3) and "next: " in ran.err), ran.err
    play.all_back_and_all_gone()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scene", OTHERWISE)
def test_another_command_after_a_kill(
    stage: Callable[[Scene], Stage], scene: str, sweep: Sweep
) -> None:
    """It does its own work or says what comes first; then all comes back, or goes."""
    there = stage(SCENES[scene])
    moments, _ = there.visit(calm)
    points = [point for point in kill_points(moments) if point[1] == "kill_after"]

    def visit(point: tuple[int, str]) -> None:
        there.visit(lambda play: otherwise(play, point, OTHERWISE[scene]))

    sweep.through(f"another after a kill, {scene}", points, visit)


def fault_points(moments: list[Moment], turn: int) -> list[tuple[str, int]]:
    """A lost answer of each call that changes something, and a fault at the first of each kind.

    Which fault that is goes by turns, and another scene begins with another one.
    """
    first = {moment.name: number for number, moment in reversed([*enumerate(moments)])}
    calls = [name for name in first if not name.startswith(CHANGE)]
    points = [(FAULTS[n % len(FAULTS)], first[name]) for n, name in enumerate(calls, turn)]
    for fault, able in FAULTS_OF.items():
        points += [(fault, first[name]) for name in able if name in first]
    points += [
        ("lost answer", number)
        for number, moment in enumerate(moments)
        if moment.changes and not moment.name.startswith(CHANGE)
    ]
    return points


def failed(play: Play, point: tuple[str, int]) -> dict[str, Any]:
    """What is there when one call had failed, and the command was given again."""
    fault, number = point
    lost = frozenset({number}) if fault == "lost answer" else frozenset()
    errors = {} if lost else {number: fault}
    ran = play.once(Weather(lost_answers=lost, errors=errors))
    assert ran.code in FAILED, ran.err
    assert ran.code in (0, play.scene.code) or "roost: " in ran.err
    play.again()
    return play.end()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scene", SCENES)
def test_the_fault_sweep(stage: Callable[[Scene], Stage], scene: str, sweep: Sweep) -> None:
    """One fault: it goes on, or stops with a message of roost's; then the same command again."""
    there = stage(SCENES[scene])
    moments, wanted = there.visit(calm)
    points = fault_points(moments, turn=[*SCENES].index(scene))
    if scene == "image bake":  # it says that the machine stays stopped: test_image.py
        start = [moment.name for moment in moments].index("StartInstances")
        points.remove(("InsufficientInstanceCapacity", start))

    def visit(point: tuple[str, int]) -> None:
        assert there.visit(lambda play: failed(play, point)) == wanted

    sweep.through(f"fault sweep, {scene}", points, visit)


# --- a part of it that runs by default -----------------------------------------------------------

FEW = {
    "desktop up": [("RunInstances", "kill_after"), ("AttachVolume", "lost answer")],
    "desktop park discard": [("DeleteVolume", "kill_after")],
}
"""The last call of a kind, and what becomes of it."""


@pytest.mark.parametrize("scene", FEW)
def test_a_few_moments(stage: Callable[[Scene], Stage], scene: str) -> None:
    there = stage(SCENES[scene])
    moments, wanted = there.visit(calm)
    calls = [moment.name for moment in moments]
    for call, what in FEW[scene]:
        number = len(calls) - 1 - calls[::-1].index(call)
        if what.startswith("kill"):
            end = there.visit(lambda play, at=(number, what): killed(play, at, 0))
        else:
            end = there.visit(lambda play, at=(what, number): failed(play, at))
        assert end == wanted, (call, what)


def test_a_volume_discarded_soon_after_it_was_made_is_made_anew(
    stage: Callable[[Scene], Stage],
) -> None:
    """EC2 answers the same token with the volume that is gone; nobody waits for that one long."""

    def play_all(play: Play) -> None:
        play.account.ec2.discarded = {"scratch"}
        assert [play.call(line).code for line in (UP, DISCARD)] == [0, 0]
        begun = play.account.ec2.now
        ran = play.call(RESUME)
        assert ran.code == 0, ran.err
        assert play.account.ec2.now - begun < 200
        play.all_back_and_all_gone()

    stage(Scene(RESUME)).visit(play_all)
