"""Two commands at work on one name: on one computer they take turns, on two they mix.

Before each change that the first command makes the second does all of its work, on another
computer. Whatever both came to, nothing is lost, and `up` and `down` afterwards find all that the
two have made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tests.aws.command_line import CHANGE
from tests.aws.command_scenes import PARK, RESUME, UP, UP_CLUSTER, Play, Scene, Stage, calm
from tests.aws.strict import Weather
from tests.cli.calling import Ran
from tests.sampling import Sweep

PAIRS = {
    "up, up": (Scene(UP), UP),
    "cluster up, up": (Scene(UP_CLUSTER), UP_CLUSTER),
    "up, down": (Scene(UP), "down stars --yes"),
    "down, up": (Scene("down stars --yes", (UP,)), UP),
    "park, resume": (Scene(PARK, (UP,)), RESUME),
    "resume, park": (Scene(RESUME, (UP, PARK)), PARK),
    "park, park": (Scene(PARK, (UP,)), PARK),
    "stop, start": (Scene("stop stars", (UP,)), "start stars"),
    "start, stop": (Scene("start stars", (UP, "stop stars")), "stop stars"),
    "scale, scale": (Scene("scale ndvi 4 --yes", (UP_CLUSTER,)), "scale ndvi 1 --yes"),
}
"""The first command, with what comes before it, and the second."""
ENDS = (0, 1, 2, 3, 5)
"""2: of what the other has deleted, nothing of that name exists."""


def first_and_second(play: Play, number: int, second: str) -> None:
    """The second at one moment of the first; then all is as one has it."""
    other: list[Ran] = []
    play.double.meanwhile = {number: lambda _: other.append(play.call(second, computer="other"))}
    first = play.once(Weather())
    assert (first.code in ENDS, [ran.code in ENDS for ran in other]) == (True, [True]), first.err
    play.account.settle()
    play.all_back_and_all_gone()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("pair", PAIRS)
def test_on_two_computers(stage: Callable[[Scene], Stage], pair: str, sweep: Sweep) -> None:
    scene, second = PAIRS[pair]
    there = stage(scene)
    moments, _ = there.visit(calm)
    points = [n for n, m in enumerate(moments) if m.changes and not m.name.startswith(CHANGE)]

    def visit(number: int) -> None:
        there.visit(lambda play: first_and_second(play, number, second))

    sweep.through(f"two at once, {pair}", points, visit)


def test_on_one_computer_the_second_waits_for_the_first(stage: Callable[[Scene], Stage]) -> None:
    """It says for whom, and then does its own work: `park` gets what `up` has made."""

    def play_both(play: Play) -> None:
        waiting, first_ended = threading.Event(), threading.Event()
        second, at_work = [], []

        def begin_second(pid: int) -> None:
            at_work.append(pid)
            second.append(play.roost.begin(*PARK.split()))
            assert waiting.wait(60)

        def wait(pid: int) -> None:
            if second and pid not in at_work:
                waiting.set()
                assert first_ended.wait(60)

        play.double.meanwhile = {20: begin_second}
        play.double.sleeping = wait
        first = play.once(Weather())
        first_ended.set()
        (ran,) = (running.wait() for running in second)
        assert (first.code, ran.code) == (0, 0), (first.err, ran.err)
        assert "another roost is at work on stars: `roost up stars`" in ran.err
        state = play.account.roost().observe("stars")
        assert (state.instances, state.volumes) == ((), ())
        assert [s.volume for s in state.snapshots] == ["data", "scratch"]
        assert play.account.ec2.lost == []

    stage(Scene(UP)).visit(play_both)
