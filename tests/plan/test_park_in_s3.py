"""Volumes that are parked in S3: proven first, let go of then, and filled again."""

from __future__ import annotations

import contextlib
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.errors import PartlyDoneError, RoostError
from roost.model.resources import S3Copy, Snapshot, State, Volume
from roost.model.steps import (
    Create,
    CreateImage,
    Delete,
    RecordBackups,
    RecordCopy,
    Retire,
    Start,
    Step,
    Stop,
)
from roost.parking.coordinator import Parking
from roost.parking.modes import ParkMode
from roost.parking.planner import plan_park
from roost.parking.restore import fill_all, waiting
from roost.parking.volume_agent import Verified
from roost.plan.backups import source_of, superseded
from roost.plan.up import plan_up
from roost.providers.fake.cloud import FakeCloud, Killed, Weather
from roost.reconcile.loop import Planner, reconcile
from tests.laws import examples
from tests.plan import parking_world
from tests.plan.parking_world import as_modes
from tests.plan.test_park_laws import BOTH, down, park, stop, up


@dataclass(slots=True)
class Noted(FakeCloud):
    """It says what was done; somebody may start what was stopped, at once."""

    seen: list[Step] = field(default_factory=list)
    by_hand: bool = False

    def apply(self, name: str, step: Step) -> None:
        self.seen.append(step)
        FakeCloud.apply(self, name, step)
        if isinstance(step, Stop) and self.by_hand:
            self.by_hand = False
            for again in (Start(step.names), Stop(step.names)):
                self.wait(name, 0)
                FakeCloud.apply(self, name, again)


def test_a_volume_goes_to_s3_and_comes_back():
    cloud = Noted()
    (data,) = [v for v in up(cloud).volumes if v.name == "data"]
    cloud.seen.clear()
    park(cloud, data="s3", scratch="s3")
    kinds = [type(step) for step in cloud.seen]
    # Nothing of it is written down before the machine has stopped, nothing deleted before that.
    before = [Retire, Delete, Stop, RecordCopy, CreateImage, RecordBackups]
    assert kinds == [*before, Delete, Delete]
    state = cloud.observe("demo")
    assert (state.instances, state.volumes, state.snapshots) == ((), (), ())
    assert [i.instance for i in state.images] == ["head"]
    assert {(s.name, s.sealed) for s in state.s3_copies} == {("data", True), ("scratch", True)}
    assert {s.place for s in state.s3_copies} >= {f"s3://work/demo/data/{data.id}/"}
    assert cloud.disks.buried.keys() == {"data", "scratch"}

    agent = parking_world.Bucket(cloud)
    made = reconcile(cloud, "demo", lambda have, _: plan_up(BOTH, have))
    assert {v.name for v, _ in waiting(made)} == {"data", "scratch"}
    state = fill_all(cloud, made, agent)
    assert not cloud.disks.buried  # each came back with what was on it
    assert not waiting(state)
    assert state == cloud.observe("demo")
    assert {(s.source, s.sealed) for s in state.s3_copies} == {(v.id, False) for v in state.volumes}
    assert not cloud.lost


def test_the_second_time_it_goes_to_the_same_place():
    cloud = FakeCloud()
    up(cloud)
    places = set()
    for _ in range(3):
        state = park(cloud, data="s3", scratch="s3")
        places |= {s.place for s in state.s3_copies}
        up(cloud)
    assert len(places) == 2
    assert not cloud.lost


def test_a_wrong_object_keeps_the_volume():
    cloud = FakeCloud()
    up(cloud)
    broken = parking_world.Bucket(cloud, broken={"data"})
    with pytest.raises(PartlyDoneError, match=r"data: raw/a\.fits: its content"):
        parking_world.park(cloud, BOTH, {"data": "s3", "scratch": "s3"}, agent=broken)
    state = cloud.observe("demo")
    assert {v.name for v in state.volumes} == {"data", "scratch"}
    assert {i.name: i.state for i in state.instances}["head"] == "running"
    assert not state.s3_copies
    park(cloud, data="s3", scratch="s3")
    assert cloud.observe("demo").volumes == ()
    assert not cloud.lost


def test_until_it_is_filled_a_volume_is_not_the_truth():
    cloud = FakeCloud()
    up(cloud)
    stored = park(cloud, data="s3", scratch="snapshot").s3_copies
    broken = parking_world.Bucket(cloud, broken={"data"})
    with pytest.raises(PartlyDoneError):
        parking_world.up(cloud, BOTH, broken)
    for modes in ({"data": "s3"}, {"data": "snapshot"}, {"data": "archive"}, {"data": "keep"}):
        state = park(cloud, **modes)
        assert [v.name for v in state.volumes] == ["data"]
        assert (state.s3_copies, {s.volume for s in state.snapshots}) == (stored, {"scratch"})
        assert any("waits for its data" in note for note in plan_park(state, as_modes(modes)).notes)
        with pytest.raises(PartlyDoneError):
            parking_world.up(cloud, BOTH, broken)
    state = down(cloud)
    assert [v.name for v in state.volumes] == ["data", "scratch"]
    assert not waiting(up(cloud))
    assert not cloud.lost


def test_what_was_let_in_after_the_proof_is_proven_again():
    """Somebody starts the machine by hand between the proof and the note of it."""
    cloud = Noted()
    up(cloud)
    cloud.by_hand = True
    agent = parking_world.Bucket(cloud)
    parking_world.park(cloud, BOTH, {"data": "s3", "scratch": "s3"}, agent=agent)
    assert agent.sent.count("data") == 4  # while it ran, when it was still, and both again
    assert [type(step) for step in cloud.seen].count(Stop) == 2
    assert not cloud.lost


def test_an_old_proof_is_none():
    """The computer slept between the proof and the stop; the machine may have restarted."""
    cloud = FakeCloud()
    up(cloud)
    clock = [0.0]

    class Slow(parking_world.Bucket):
        def verify(self, state: State, volumes: tuple[Volume, ...]) -> Verified:
            found = parking_world.Bucket.verify(self, state, volumes)
            clock[0] += 1
            return found

    def drive(planner: Planner) -> State:
        if clock[0] == 1:  # it was asleep, and the machine restarted
            clock[0] += 500
            cloud.disks.still.clear()
        return reconcile(cloud, "demo", planner)

    agent = Slow(cloud)
    Parking(
        modes={"data": ParkMode.S3, "scratch": ParkMode.S3},
        confirmed=frozenset(),
        connect=lambda _: nullcontext(agent),
        drive=drive,
        clock=lambda: clock[0],
    ).run()
    assert agent.sent.count("data") == 4
    assert not cloud.lost


def test_a_volume_without_a_machine_is_not_copied():
    cloud = FakeCloud()
    up(cloud)
    down(cloud)
    with pytest.raises(RoostError, match="only its machine can copy it"):
        park(cloud, data="s3", scratch="s3")
    assert len(cloud.observe("demo").volumes) == 2


def test_a_stopped_machine_is_started_for_it():
    cloud = FakeCloud()
    up(cloud)
    stop(cloud)
    state = park(cloud, data="s3", scratch="keep")
    assert [v.name for v in state.volumes] == ["scratch"]
    assert [s.name for s in state.s3_copies] == ["data"]
    assert not cloud.lost


def test_the_newest_copy_counts_whatever_it_is():
    stored = S3Copy(
        name="data",
        source="vol-1",
        place="s3://work/demo/data/vol-1/",
        tree="tree",
        sha256="0",
        size_gib=700,
        used_gib=3,
        since=5,
        taken=20,
        sealed=True,
    )
    older = Snapshot(
        name="snap-1",
        volume="data",
        source="vol-0",
        size_gib=500,
        state="completed",
        sealed=True,
        taken=10,
    )
    newer = replace(older, name="snap-2", taken=30)
    have = State(name="demo", record=BOTH.record, s3_copies=(stored,), snapshots=(older,))
    assert source_of("data", have) == stored
    assert superseded(have)[0] == [older]
    both = replace(have, snapshots=(older, newer))
    assert source_of("data", both) == newer
    assert superseded(both)[0] == [older]
    (volume,) = [
        r
        for step in plan_up(BOTH, have).steps
        if isinstance(step, Create)
        for r in step.resources
        if r.name == "data"
    ]
    assert isinstance(volume, Volume)
    # As large as the file asks now, as that holds what is used.
    assert (volume.size_gib, volume.snapshot, volume.copy_of) == (500, "", "vol-1")
    full = replace(have, s3_copies=(replace(stored, used_gib=600),))
    refusal = plan_up(BOTH, full).refusal
    assert refusal is not None
    assert "600 GiB come back from s3://work/demo/data/vol-1/, which need 620GB" in refusal.what
    assert "the file asks for 500GB" in refusal.what


def test_down_forgets_a_copy_in_s3_only_when_its_name_is_typed():
    cloud = FakeCloud()
    up(cloud)
    park(cloud, data="s3", scratch="s3")
    state = down(cloud, frozenset({"head"}))  # its image goes
    assert {s.name for s in state.s3_copies} == {"data", "scratch"}
    assert state.record is not None
    objects = dict(cloud.disks.bucket)
    state = down(cloud, frozenset({"data"}))
    assert [s.name for s in state.s3_copies] == ["scratch"]
    assert down(cloud, frozenset({"demo"})).empty
    assert cloud.disks.bucket == objects  # the bucket is the user's


@settings(max_examples=examples(200))
@given(st.integers(1, 3), st.integers(0, 2), st.integers(0, 20), st.booleans(), st.booleans())
def test_a_killed_park_or_resume_goes_on(delay, blind, at, after, back):
    weather = Weather(delay=delay, blind=blind)
    cloud = FakeCloud(weather)
    up(cloud)
    for turn in range(2):
        for act in (lambda: park(cloud, data="s3", scratch="s3"), lambda: up(cloud)):
            if turn == back:
                moment = {"kill_after" if after else "kill_before": cloud.effects + at}
                cloud.weather = replace(weather, **moment)
            with contextlib.suppress(Killed):
                act()
            cloud.weather = weather
            state = act()
            assert not cloud.lost
        assert not waiting(state)
        assert {v.name: v.state for v in state.volumes if not v.name.endswith("+")} == {
            "data": "attached",
            "scratch": "attached",
        }


def test_the_oracle_sees_that_a_copy_in_s3_was_changed():
    cloud = FakeCloud()
    up(cloud)
    state = park(cloud, data="s3", scratch="s3")
    cloud.disks.bucket[state.s3_copies[0].place] = "something else"
    up(cloud)
    assert cloud.lost == [state.s3_copies[0].name]
