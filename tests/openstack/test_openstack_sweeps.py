"""Commands as users type them, killed or failed at every call; then the same command again.

The services are real, and the machines are only said to be there. The same words must come to the
same end: nothing lost, nothing made twice, nothing left over, and a neighbour's things untouched.
By default a few points are gone through; ``make sweep`` goes through all (tests/sampling.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from subprocess import Popen

import pytest

from tests.openstack.command_line import KILLED, CommandLine, forking
from tests.openstack.scenes import FILES, LIVES, Life, flavors
from tests.openstack.site import Project
from tests.openstack.test_openstack_commands import neighbours
from tests.openstack.weather import Point, Weather, fault_points, kill_points, weather_at
from tests.sampling import Sweep

pytestmark = [
    pytest.mark.openstack,
    pytest.mark.timeout(20_000),
    pytest.mark.filterwarnings("ignore::openstack.warnings.OpenStackDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]
SHARE = 100
"""One point in so many by default, which is minutes; all of them are some hours."""
TOKENS = (1, 3, 9)
"""Calls that a token is good for."""
FAILED = (0, 1, 3, 5)
"""How a command may end that met a fault: never with 2, for its words were right."""


@dataclass(frozen=True)
class At:
    """A point of a scene: a call and what becomes of it, or how long a token is good."""

    scene: str
    point: Point

    def __str__(self) -> str:
        (name, number), what = self.point
        return f"{self.scene}: {name} #{number}: {what}"

    @property
    def weather(self) -> Weather:
        (_, number), what = self.point
        return Weather(token_calls=number) if what == "token ends" else weather_at(self.point)


@pytest.fixture(scope="module")
def forker() -> Iterator[Popen[str]]:
    with forking() as found:
        yield found


@pytest.fixture
def life(
    request: pytest.FixtureRequest, forker: Popen[str], project: Project, tmp_path: Path
) -> Life:
    """A name, beside a neighbour's things, that has been through each scene once."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    name = request.node.callspec.params["name"]
    node, volume = ("desktop", "data") if name == "stars" else ("head", "shared")
    neighbours(project, name, node, volume)
    flavors(project)
    found = Life(CommandLine(forker, project, tmp_path), LIVES[name])
    found.calm()
    return found


def interleaved(life: Life) -> list[At]:
    """The points of all scenes by turns, so that the next begins where the last one ended."""
    found = []
    tokens: list[Point] = [(("a token", calls), "token ends") for calls in TOKENS]
    for turn, (name, scene) in enumerate(life.scenes.items()):
        moments = life.moments[name]
        points = [*kill_points(moments), *fault_points(moments, turn), *tokens]
        found.append([At(name, point) for point in points if scene.swept])
    return [at for at in chain.from_iterable(zip_longest(*found)) if at is not None]


def visit(life: Life, at: At) -> None:
    """Play the scene in that weather, and then the same line again."""
    scene = life.scenes[at.scene]
    life.reach(scene.begins)
    ran = life.call(scene.line, at.weather)
    if at.point[1].startswith("kill"):
        assert ran.code == KILLED, ran.err
    else:
        assert ran.code in FAILED, ran.err
        assert ran.code == 0 or ("roost: " in ran.err and "next: " in ran.err), ran.err
    life.again(at.scene)


@pytest.mark.parametrize("name", LIVES)
def test_the_same_command_again_comes_to_the_same_end(life: Life, name: str, sweep: Sweep) -> None:
    points = interleaved(life)
    sweep.through(f"OpenStack's sweep, {name}", points, lambda at: visit(life, at), SHARE)
    life.reach("gone")
