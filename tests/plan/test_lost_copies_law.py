"""The law of recorded copies: what somebody deletes by hand is missed, whatever was done before.

The cloud in memory notes in ``lost`` what comes back without its content. Here somebody deletes
snapshots and images in between, at any moment, and commands are killed: `up` refuses then, or comes
back with all of it, and never makes anything empty in silence.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.errors import RoostError
from roost.model.resources import State, Volume
from roost.model.steps import Create
from roost.plan.comeback import most_entries, room_needed
from roost.plan.recorded import due, is_intact
from roost.plan.up import Plan, plan_up
from roost.providers.fake.cloud import FakeCloud, Killed, Weather
from roost.reconcile.loop import reconcile
from tests.plan.test_park_laws import BOTH, down, park, stop, up

ACTS: dict[str, Callable[[FakeCloud], State]] = {
    "up": up,
    "stop": stop,
    "park": park,
    "park half": lambda cloud: park(cloud, scratch="keep"),
    "park archive": lambda cloud: park(cloud, data="archive"),
    "down": down,
}


def newest(cloud: FakeCloud) -> None:
    """Somebody deletes the newest snapshot of each volume."""
    for name in ("data", "scratch"):
        mine = [s for s in cloud.observe("demo").snapshots if s.volume == name]
        if mine:
            cloud.disks.delete("demo", (max(mine, key=lambda s: (s.taken, s.name)).name,))


def everything(cloud: FakeCloud) -> None:
    """Somebody deletes all snapshots and images."""
    state = cloud.observe("demo")
    cloud.disks.delete("demo", tuple(one.name for one in (*state.snapshots, *state.images)))


HANDS = {"nothing": lambda _: None, "newest": newest, "everything": everything}
moments = st.tuples(
    st.sampled_from(sorted(ACTS)),
    st.integers(0, 25),
    st.sampled_from(("kill_before", "kill_after", "none")),
    st.sampled_from(sorted(HANDS)),
)


@settings(max_examples=150)
@given(st.lists(moments, min_size=1, max_size=5), st.integers(1, 3))
def test_nothing_comes_back_empty_in_silence(
    acts: list[tuple[str, int, str, str]], delay: int
) -> None:
    cloud = FakeCloud(Weather(delay=delay))
    up(cloud)
    for act, at, when, hand in acts:
        moment = {when: cloud.effects + at} if when != "none" else {}
        cloud.weather = replace(Weather(delay=delay), **moment)  # type: ignore[arg-type]
        with contextlib.suppress(Killed, RoostError):
            ACTS[act](cloud)
        cloud.weather = Weather(delay=delay)
        assert cloud.lost == [], act
        HANDS[hand](cloud)
    with contextlib.suppress(RoostError):
        up(cloud)
    assert cloud.lost == []


def test_what_is_gone_is_refused_until_it_is_given_up() -> None:
    cloud = FakeCloud()
    up(cloud)
    park(cloud)
    everything(cloud)
    with pytest.raises(RoostError, match="demo cannot come back as it was parked") as refused:
        up(cloud)
    assert "--fresh data --fresh scratch --fresh head" in (refused.value.next or "")
    state = cloud.observe("demo")
    assert (state.instances, state.volumes) == ((), ())
    fresh = frozenset({"data", "scratch", "head"})

    def planner(have: State, _: frozenset[str]) -> Plan:
        return plan_up(BOTH, have, fresh=fresh)

    state = reconcile(cloud, "demo", planner)
    assert [v.name for v in state.volumes] == ["data", "scratch"]
    assert state.backups == ()  # they are not missed any more
    assert due(state) is None


def test_a_newer_copy_is_as_good() -> None:
    cloud = FakeCloud()
    up(cloud)
    state = park(cloud)
    assert all(is_intact(backup, state) for backup in state.backups)
    older = tuple(replace(b, id=f"{b.id}-old", taken=b.taken - 10) for b in state.backups)
    assert all(is_intact(backup, state) for backup in older)
    newer = tuple(replace(b, id=f"{b.id}-new", taken=b.taken + 10) for b in state.backups)
    assert not any(is_intact(backup, state) for backup in newer)


@given(st.floats(0, 60_000))
def test_the_room_that_is_needed_holds_it(used: float) -> None:
    size = room_needed(used)
    assert size - 0.022 * size - 0.1 >= used
    assert size <= used * 1.05 + 2
    assert most_entries(size) < size * 65536


def test_a_volume_of_a_file_that_wants_more_is_not_refused() -> None:
    larger = replace(BOTH, volumes=tuple(replace(v, size_gib=900) for v in BOTH.volumes))
    cloud = FakeCloud()
    up(cloud)
    park(cloud, data="s3", scratch="s3")
    steps = [s for s in plan_up(larger, cloud.observe("demo")).steps if isinstance(s, Create)]
    volumes = [one for step in steps for one in step.resources if isinstance(one, Volume)]
    assert [(v.name, v.size_gib) for v in volumes] == [("data", 900), ("scratch", 900)]
