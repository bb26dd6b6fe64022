"""The data law: nothing is lost, whatever is done, in whatever order, however it is interrupted.

The cloud in memory writes to every disk of every machine that is up, all the time, and remembers
what each disk and each copy holds; what is deleted and held by nothing else is in its ``lost``.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.errors import RoostError
from roost.model.resources import (
    Address,
    Group,
    Image,
    Instance,
    Shape,
    Snapshot,
    State,
    Volume,
    Wanted,
)
from roost.model.steps import Archive, Create, CreateImage, CreateSnapshot, Delete, Restore, Stop
from roost.parking.modes import ParkMode
from roost.parking.planner import plan_park
from roost.plan.backups import proof
from roost.plan.down import plan_down
from roost.plan.resize import plan_resize
from roost.plan.up import Plan, plan_stop, plan_up
from roost.providers.fake.cloud import FakeCloud, Killed, Weather
from roost.reconcile.loop import reconcile
from tests.laws import examples
from tests.plan import parking_world

SHAPE = Shape(type="m7i.large", cpus=2, memory_gib=8)
DATA = Volume(name="data", size_gib=500, type="gp3", holder="head", mount="/data")
SCRATCH = Volume(name="scratch", size_gib=50, type="gp3", holder="head", mount="/scratch")


def wanted(*volumes: Volume, workers: int = 1, type: str = "m7i.large") -> Wanted:  # noqa: A002
    shape = replace(SHAPE, type=type)
    return Wanted(
        name="demo",
        record=f'{{"type": "{type}"}}',
        groups=(
            Group(role="head", count=1, shape=shape),
            Group(role="worker", count=workers, shape=SHAPE),
        ),
        volumes=volumes,
        addresses=(Address(name="head", holder="head"),),
    )


BOTH = wanted(DATA, SCRATCH)


def up(cloud: FakeCloud, want: Wanted = BOTH) -> State:
    return parking_world.up(cloud, want)


def park(cloud: FakeCloud, confirmed: frozenset[str] = frozenset(), **modes: str) -> State:
    return parking_world.park(cloud, BOTH, modes, confirmed)


def resize(cloud: FakeCloud, want: Wanted) -> State:
    return reconcile(cloud, "demo", lambda have, _: plan_resize(want, have, "head"))


def stop(cloud: FakeCloud) -> State:
    return reconcile(cloud, "demo", lambda have, _: plan_stop(have))


def down(cloud: FakeCloud, typed: frozenset[str] = frozenset()) -> State:
    return reconcile(cloud, "demo", lambda have, _: plan_down(have, typed))


def test_parked_as_snapshots_and_brought_back():
    cloud = FakeCloud()
    up(cloud)
    state = park(cloud)
    assert (state.instances, state.volumes) == ((), ())
    assert sorted(s.volume for s in state.snapshots) == ["data", "scratch"]
    assert [i.instance for i in state.images] == ["head"]
    assert [a.name for a in state.addresses] == ["head"]  # the same address comes back
    assert not cloud.lost
    before = {s.volume: cloud.disks._copies["demo"][s.name].content for s in state.snapshots}
    image = cloud.disks._copies["demo"][state.images[0].name].content

    weather, cloud.weather = cloud.weather, Weather(kill_before=10_000)
    made: list[Create] = []

    def planner(have: State, _: frozenset[str]) -> Plan:
        plan = plan_up(BOTH, have)
        made.extend(s for s in plan.steps if isinstance(s, Create))
        for step in plan.steps:
            if isinstance(step, Create) and step.kind == "volume":
                sources = {v.name: v.snapshot for v in step.resources if isinstance(v, Volume)}
                contents = {n: cloud.disks._copies["demo"][s].content for n, s in sources.items()}
                assert contents == before
        return plan

    state = reconcile(cloud, "demo", planner)
    cloud.weather = weather
    assert {v.name: v.state for v in state.volumes} == {"data": "attached", "scratch": "attached"}
    head = next(i for step in made for i in step.resources if i.name == "head")
    assert isinstance(head, Instance)
    assert cloud.disks._copies["demo"][head.shape.image].content == image


def test_the_first_copy_is_taken_while_it_runs_and_the_last_after_the_stop():
    cloud = FakeCloud()
    up(cloud)
    seen: list[object] = []

    def planner(have: State, _: frozenset[str]) -> Plan:
        plan = plan_park(have, {"scratch": ParkMode.KEEP})
        seen.extend(
            s for s in plan.steps if isinstance(s, CreateSnapshot | Stop | CreateImage | Delete)
        )
        return plan

    reconcile(cloud, "demo", planner)
    assert seen == [
        Delete("instance", ("worker-1",)),
        CreateSnapshot(("data",), sealed=False),
        Stop(("head",)),
        CreateSnapshot(("data",), sealed=True),
        CreateImage(("head",)),
        Delete("instance", ("head",)),
        Delete("volume", ("data",)),
        Delete("snapshot", ("snap-" + seen_first(cloud, seen),)),
    ]


def seen_first(cloud: FakeCloud, seen: list[object]) -> str:
    """The number of the live snapshot: the one that was deleted and is not there any more."""
    last = seen[-1]
    assert isinstance(last, Delete)
    left = {s.name for s in cloud.observe("demo").snapshots}
    assert not set(last.names) & left
    return last.names[0].removeprefix("snap-")


def test_a_machine_whose_volumes_are_kept_is_kept_too():
    cloud = FakeCloud()
    up(cloud)
    state = park(cloud, data="keep", scratch="keep")
    assert {i.name: i.state for i in state.instances} == {"head": "stopped"}
    assert [v.state for v in state.volumes] == ["attached", "attached"]
    assert (state.snapshots, state.images) == ((), ())


def test_a_machine_whose_disk_cannot_be_saved_is_not_even_stopped():
    cloud = FakeCloud()
    up(cloud)
    have = cloud.observe("demo")
    stuck = tuple(replace(i, unsaved="it boots from a volume") for i in have.instances)
    have = replace(have, instances=stuck)
    plan = plan_park(have, {"data": ParkMode.SNAPSHOT})
    assert plan.steps == ()
    assert plan.refusal is not None
    assert plan.refusal.what.startswith("the disk of head cannot be saved: it boots from a volume")
    assert "roost park demo --mode keep" in plan.refusal.next
    kept = plan_park(have, dict.fromkeys(("data", "scratch"), ParkMode.KEEP))
    assert kept.refusal is None
    assert Stop(("head",)) in kept.steps


def test_discarding_needs_the_typed_name():
    cloud = FakeCloud()
    up(cloud)
    state = park(cloud, scratch="discard")
    assert [v.name for v in state.volumes] == ["scratch"]
    assert plan_park(state, {"scratch": ParkMode.DISCARD}).notes[0] == (
        "volume scratch is kept: discarding it needs its name typed"
    )
    state = park(cloud, frozenset({"scratch"}), scratch="discard")
    assert (state.volumes, cloud.lost) == ((), ["scratch"])
    assert [s.volume for s in state.snapshots] == ["data"]


def test_from_the_archive_nothing_is_rented_until_the_data_is_back():
    cloud = FakeCloud()
    up(cloud)
    state = park(cloud, data="archive", scratch="snapshot")
    cloud.wait("demo", 0)
    cloud.wait("demo", 0)
    tiers = {s.volume: s.tier for s in cloud.observe("demo").snapshots}
    assert tiers == {"data": "archived", "scratch": "standard"}
    plan = plan_up(BOTH, cloud.observe("demo"))
    assert [type(s) for s in plan.steps] == [Restore]
    assert plan.slow == ("data",)
    state = up(cloud)
    assert (state.instances, state.volumes) == ((), ())
    assert plan_up(BOTH, state).slow == ("data",)
    cloud.wait("demo", 0)
    cloud.wait("demo", 0)
    assert len(up(cloud).volumes) == 2
    assert not cloud.lost


def test_only_the_archive_mode_archives():
    cloud = FakeCloud()
    up(cloud)
    steps = []

    def planner(have: State, _: frozenset[str]) -> Plan:
        plan = plan_park(have, {"data": ParkMode.SNAPSHOT})
        steps.extend(plan.steps)
        return plan

    reconcile(cloud, "demo", planner)
    assert not [s for s in steps if isinstance(s, Archive)]


def test_a_snapshot_of_before_the_last_start_proves_nothing():
    head = Instance(name="head", role="head", shape=SHAPE, id="i-1", state="stopped", started=100)
    data = replace(DATA, id="vol-1", state="attached", attached_at=50)
    copy = Snapshot(
        name="snap-1",
        volume="data",
        source="vol-1",
        size_gib=500,
        state="completed",
        sealed=True,
        taken=90,
    )
    have = State(name="demo", instances=(head,), volumes=(data,), snapshots=(copy,))
    assert proof(data, have) is None
    later = replace(copy, taken=100)
    assert proof(data, replace(have, snapshots=(later,))) == later
    assert proof(data, replace(have, snapshots=(replace(later, sealed=False),))) is None
    assert proof(data, replace(have, snapshots=(replace(later, source="vol-2"),))) is None
    assert proof(data, replace(have, snapshots=(replace(later, state="pending"),))) is None
    running = replace(head, state="running")
    assert proof(data, replace(have, instances=(running,), snapshots=(later,))) is None
    attached_later = replace(data, attached_at=200)
    assert proof(attached_later, replace(have, snapshots=(later,))) is None


def test_up_makes_nothing_empty_while_a_copy_is_on_its_way():
    image = Image(name="ami-1", instance="head", source="i-1", state="pending", taken=5)
    plan = plan_up(BOTH, State(name="demo", record=BOTH.record, images=(image,)))
    assert (plan.steps, plan.waiting) == ((), ("ami-1",))
    failed = replace(image, state="failed")
    plan = plan_up(BOTH, State(name="demo", record=BOTH.record, images=(failed,)))
    assert [s.kind for s in plan.steps if isinstance(s, Create)] == [
        "address",
        "instance",
        "instance",
        "volume",
    ]


def test_a_resize_stops_changes_and_starts():
    cloud = FakeCloud()
    up(cloud)
    larger = wanted(DATA, SCRATCH, type="m7i.4xlarge")
    state = resize(cloud, larger)
    assert [(i.name, i.shape.type, i.state) for i in state.instances] == [
        ("head", "m7i.4xlarge", "running"),
        ("worker-1", "m7i.large", "running"),
    ]
    assert cloud.calls["ChangeType"] == 1
    assert state.record == larger.record


def test_volumes_grow_and_do_not_shrink():
    cloud = FakeCloud()
    up(cloud)
    state = up(cloud, wanted(replace(DATA, size_gib=800), replace(SCRATCH, size_gib=10)))
    assert {v.name: v.size_gib for v in state.volumes} == {"data": 800, "scratch": 50}
    less = wanted(replace(DATA, size_gib=800), replace(SCRATCH, size_gib=10))
    assert plan_up(less, state).notes == (
        "volume scratch stays as large as it is: none can be made smaller",
    )


def test_a_volume_of_before_roost_is_never_deleted():
    cloud = FakeCloud()
    theirs = replace(DATA, id="vol-0theirs")
    cloud.disks.contents["vol-0theirs"] = "ten years of work"
    want = wanted(theirs)
    state = up(cloud, want)
    assert [(v.id, v.adopted, v.state) for v in state.volumes] == [
        ("vol-0theirs", True, "attached")
    ]
    state = park(cloud, frozenset({"data"}), data="discard")
    assert [v.id for v in state.volumes] == ["vol-0theirs"]
    state = down(cloud, frozenset({"demo", "data"}))
    assert state.empty  # let go of: its tags are gone, and it is where it was
    assert cloud.calls["Disown"] == 1
    assert not cloud.lost


# --- the law ------------------------------------------------------------------------------------

ACTS = {
    "up": up,
    "up larger": partial(up, want=wanted(replace(DATA, size_gib=600), SCRATCH, workers=2)),
    "up without scratch": partial(up, want=wanted(DATA)),
    "stop": stop,
    "resize": partial(resize, want=wanted(DATA, SCRATCH, type="m7i.4xlarge")),
    "park": park,
    "park archive": partial(park, data="archive", scratch="snapshot"),
    "park keep": partial(park, data="keep", scratch="keep"),
    "park half": partial(park, data="snapshot", scratch="keep"),
    "park s3": partial(park, data="s3", scratch="s3"),
    "park s3 and snapshot": partial(park, data="s3", scratch="snapshot"),
    "park s3 and keep": partial(park, data="s3", scratch="keep"),
    "down": down,
}
moments = st.tuples(
    st.sampled_from(sorted(ACTS)),
    st.one_of(st.none(), st.integers(0, 12)),
    st.booleans(),
)


@settings(max_examples=examples(400))
@given(
    st.lists(moments, min_size=1, max_size=8),
    st.integers(1, 3),
    st.integers(0, 2),
    st.frozensets(st.integers(0, 60), max_size=6),
)
def test_no_sequence_of_commands_kills_and_faults_loses_data(acts, delay, blind, throttle):
    cloud = FakeCloud(Weather(delay=delay, blind=blind, throttle=throttle))
    calm = cloud.weather
    for act, at, after in acts:
        if at is not None:
            moment = {"kill_after" if after else "kill_before": cloud.effects + at}
            cloud.weather = replace(calm, **moment)
        with contextlib.suppress(Killed, RoostError):
            ACTS[act](cloud)
        cloud.weather = calm
        assert not cloud.lost, act
        for name, content in cloud.disks.buried.items():
            held = [
                copy.content
                for copy in cloud.disks._copies["demo"].values()
                if isinstance(copy.what, Snapshot) and copy.what.state == "completed"
            ]
            held += [cloud.disks.bucket[copy.place] for copy in cloud.disks.s3_copies_of("demo")]
            assert content in held or content.startswith("blank"), (act, name)
    for _ in range(4):
        cloud.wait("demo", 0)
    cloud.weather = Weather()
    up(cloud)
    for _ in range(3):
        cloud.wait("demo", 0)
    state = up(cloud)
    assert {v.name for v in state.volumes} >= {"data", "scratch"}
    assert plan_up(BOTH, state).done
    assert not cloud.lost
    state = down(cloud, frozenset({"demo"}))
    assert state.empty
    assert not cloud.summaries()


@settings(max_examples=examples(200))
@given(st.integers(1, 3), st.integers(0, 2), st.integers(0, 14), st.booleans())
def test_a_killed_park_comes_to_the_same_end(delay, blind, at, after):
    weather = Weather(delay=delay, blind=blind)
    calm, stormy = FakeCloud(weather), FakeCloud(weather)
    ends = []
    for cloud in (calm, stormy):
        up(cloud)
        if cloud is stormy:
            moment = {"kill_after" if after else "kill_before": cloud.effects + at}
            cloud.weather = replace(weather, **moment)
            with contextlib.suppress(Killed):
                park(cloud)
            cloud.weather = weather
        state = park(cloud)
        ends.append(
            (
                state.instances,
                state.volumes,
                sorted(s.volume for s in state.snapshots),
                [i.instance for i in state.images],
            )
        )
        assert not cloud.lost
    assert ends[0] == ends[1]
    assert ends[0] == ((), (), ["data", "scratch"], ["head"])


def test_the_oracle_sees_a_loss():
    cloud = FakeCloud()
    up(cloud)
    down(cloud)
    cloud.apply("demo", Delete("volume", ("data",)))
    assert cloud.lost == ["data"]
    cloud = FakeCloud()
    up(cloud)
    park(cloud)
    (held,) = [s.name for s in cloud.observe("demo").snapshots if s.volume == "data"]
    cloud.apply("demo", Delete("snapshot", (held,)))
    with pytest.raises(RoostError, match="volume data: its copy, snapshot"):
        up(cloud)
    assert not cloud.lost
    cloud.disks.backups.clear()  # as of a roost that recorded nothing
    up(cloud)
    assert cloud.lost == ["data"]  # made again, and empty


def test_a_park_that_was_broken_off_proves_nothing_after_the_next_up():
    broken = 0
    for at in range(20):
        cloud = FakeCloud()
        up(cloud)
        cloud.weather = Weather(kill_before=cloud.effects + at)
        with contextlib.suppress(Killed):
            park(cloud)
            break
        broken += 1
        cloud.weather = Weather()
        up(cloud)
        down(cloud)  # the volume is free now, as it is in the middle of a park
        state = park(cloud)
        assert state.volumes == ()
        assert not cloud.lost, at
    assert broken >= 8


def test_resume_brings_back_the_type_that_was_and_up_the_type_of_the_file():
    cloud = FakeCloud()
    up(cloud)
    park(cloud)
    larger = wanted(DATA, SCRATCH, type="m7i.4xlarge")
    have = cloud.observe("demo")

    def head(plan: Plan) -> str:
        made = [r for s in plan.steps if isinstance(s, Create) for r in s.resources]
        return next(i.shape.type for i in made if isinstance(i, Instance) and i.name == "head")

    assert head(plan_up(larger, have, as_parked=True)) == "m7i.large"
    assert head(plan_up(larger, have)) == "m7i.4xlarge"


def test_another_type_in_the_file_is_said_and_not_made():
    cloud = FakeCloud()
    up(cloud)
    larger = wanted(DATA, SCRATCH, type="m7i.4xlarge")
    state = up(cloud, larger)
    assert [i.shape.type for i in state.instances] == ["m7i.large", "m7i.large"]
    assert plan_up(larger, state).notes == (
        "not m7i.4xlarge, as the file says now: head (`roost resize`)",
    )
