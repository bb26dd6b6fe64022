"""Commands killed at every effect, and typed again word for word: each comes to the same end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from roost.providers.fake.cloud import Killed, Weather
from tests.cli.calling import Ran, Roost
from tests.cli.full import Full, done
from tests.cli.made import THERE
from tests.plan.parking_world import Bucket

BOTH = THERE + '[[volumes]]\nname = "scratch"\nsize = "50GB"\n'
CALM = Weather(delay=1)
DISCARD = ("park", "there", "--mode", "scratch=discard", "--discard", "scratch", "--yes")
TO_S3 = ("park", "there", "--mode", "s3", "--to", "s3://work", "--yes")


@pytest.fixture
def bucket(cloud: Full, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """S3 and the machines, in memory."""
    found = Bucket(cloud)

    @contextmanager
    def connect(*_: object) -> Iterator[Bucket]:
        yield found

    monkeypatch.setattr("roost.parking.ssh_volume_agent.connect", connect)
    return found


@pytest.fixture
def file(write: Callable[..., Path]) -> Path:
    return write(BOTH)


def killed(roost: Roost, cloud: Full, at: int, when: str, *words: object) -> bool:
    """Kill a command at that effect; False: it came to its end before."""
    cloud.weather = replace(CALM, **{when: cloud.effects + at})
    cloud._holders.clear()
    try:
        roost(*words)
    except Killed:
        return True
    finally:
        cloud.weather = CALM
        cloud._holders.clear()
    return False


def summary(cloud: Full) -> dict[str, Any]:
    state = cloud.observe("there")
    return {
        "volumes": [(v.name, v.state) for v in state.volumes],
        "instances": [(i.name, i.state, i.shape.type) for i in state.instances],
        "snapshots": [(s.volume, s.state) for s in state.snapshots],
        "images": [(i.instance, i.state) for i in state.images],
        "s3": [(c.name, c.sealed) for c in state.s3_copies],
        "backups": [(b.kind, b.name) for b in state.backups],
    }


def renewed(cloud: Full, roost: Roost, file: Path) -> None:
    """All gone, and up again."""
    cloud.lost.clear()
    cloud.disks.buried.clear()
    told = roost("down", "there", "--delete-data", "there", "--yes")
    assert told.code in (0, 2), told.err
    cloud.lost.clear()
    cloud.disks.buried.clear()
    done(roost("up", file, "--yes"))


COMMANDS: dict[str, tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]] = {
    "discard": ((), DISCARD),
    "snapshots": ((), ("park", "there", "--mode", "data=snapshot", "--yes")),
    "archive": ((), ("park", "there", "--mode", "data=archive", "--mode", "scratch=keep", "--yes")),
    "s3": ((), TO_S3),
    "discard again": (
        (("park", "there", "--yes"), ("resume", "there", "--yes")),
        DISCARD,
    ),
    "resume": ((("park", "there", "--yes"),), ("resume", "there", "--yes")),
    "resume s3": ((TO_S3,), ("resume", "there", "--yes")),
    "resize": ((), ("resize", "there", "--type", "m7i.4xlarge", "--yes")),
    "down data": ((), ("down", "there", "--delete-data", "data", "--yes")),
    "down parked": (
        (("park", "there", "--yes"),),
        ("down", "there", "--delete-data", "data", "--delete-data", "desktop", "--yes"),
    ),
}
"""What comes before a command, and the command itself."""


@pytest.mark.slow
@pytest.mark.parametrize("scene", COMMANDS)
def test_the_same_words_again(
    scene: str, cloud: Full, bucket: Bucket, roost: Roost, file: Path
) -> None:
    before, command = COMMANDS[scene]
    cloud.weather = CALM
    gone = {"scratch"} if "discard" in scene else {"data"} if "down" in scene else set()

    def prepare() -> None:
        renewed(cloud, roost, file)
        for words in before:
            done(roost(*words))

    prepare()
    done(roost(*command))
    calm = summary(cloud)
    for when in ("kill_before", "kill_after"):
        for at in range(100):
            prepare()
            if not killed(roost, cloud, at, when, *command):
                break
            done(roost(*command))
            assert summary(cloud) == calm, (when, at)
            assert set(cloud.lost) <= gone, (when, at)
        assert at > 2


@pytest.mark.slow
@pytest.mark.parametrize("park", [DISCARD, TO_S3, ("park", "there", "--yes")])
def test_resume_against_a_killed_park(
    park: tuple[str, ...], cloud: Full, bucket: Bucket, roost: Roost, file: Path
) -> None:
    gone = {"scratch"} if park == DISCARD else set()
    for when in ("kill_before", "kill_after"):
        for at in range(100):
            renewed(cloud, roost, file)
            if not killed(roost, cloud, at, when, *park):
                break
            done(roost("resume", "there", "--yes"))
            assert set(cloud.lost) <= gone, (when, at)
            state = cloud.observe("there")
            assert {v.name: v.state for v in state.volumes} == {
                "data": "attached",
                "scratch": "attached",
            }
        assert at > 2


def test_names_that_were_never_there_are_refused_all_the_same(
    cloud: Full, bucket: Bucket, roost: Roost, file: Path
) -> None:
    done(roost("up", file, "--yes"))
    done(roost(*DISCARD))
    told: Ran = roost("park", "there", "--mode", "scartch=discard", "--yes")
    assert (told.code, "there has no volume scartch. There are: data, scratch" in told.err) == (
        2,
        True,
    )
    told = roost("park", "there", "--discard", "scartch", "--yes")
    assert (told.code, "there has no volume scartch" in told.err) == (2, True)
    told = roost("down", "there", "--delete-data", "scartch", "--yes")
    assert (told.code, "there has no data called scartch" in told.err) == (2, True)
    with contextlib.suppress(Killed):
        done(roost("park", "there", "--discard", "scratch", "--yes"))
