"""The reasons that the planners give for their steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from roost.model.resources import (
    Address,
    Group,
    Rule,
    S3Copy,
    SecurityGroup,
    Shape,
    State,
    Volume,
    Wanted,
)
from roost.model.steps import NOT_THERE, Create, Start, Stop, describe, explain
from roost.parking.modes import ParkMode
from roost.parking.planner import plan_park, plan_wake
from roost.plan.down import plan_down
from roost.plan.resize import plan_resize
from roost.plan.up import Plan, plan_stop, plan_up
from roost.providers.fake.cloud import FakeCloud
from roost.reconcile.loop import reconcile
from roost.reconcile.quorum import Missing, Quorum
from tests.plan import parking_world

SHAPE = Shape(type="m7i.large", cpus=2, memory_gib=8)
DATA = Volume(name="data", size_gib=100, type="gp3", holder="head", mount="/data", iops=3000)


def wanted(workers: int = 2, *volumes: Volume, fixed: bool = True, type: str = "") -> Wanted:  # noqa: A002
    return Wanted(
        name="demo",
        record="{}",
        groups=(
            Group(role="head", count=1, shape=replace(SHAPE, type=type or SHAPE.type)),
            Group(role="worker", count=workers, shape=SHAPE),
        ),
        security_groups=(SecurityGroup(name="demo", rules=(Rule(port=22, source="caller"),)),),
        volumes=volumes or (DATA,),
        addresses=(Address(name="head", holder="head"),) if fixed else (),
    )


@pytest.fixture
def cloud() -> FakeCloud:
    cloud = FakeCloud()
    parking_world.up(cloud, wanted())
    return cloud


def lines(plan: Plan) -> list[str]:
    return [explain(step) for step in plan.steps]


def run(cloud: FakeCloud, planner: Callable[[State], Plan]) -> list[str]:
    """Reconcile, and return what was done and why, each line once."""
    done: list[str] = []

    def tell(have: State, _: frozenset[str]) -> Plan:
        plan = planner(have)
        done.extend(line for line in lines(plan) if line not in done)
        return plan

    reconcile(cloud, "demo", tell)
    return done


def test_a_reason_changes_nothing_about_a_step() -> None:
    assert Stop(("a",), reason="x") == Stop(("a",), reason="y") == Stop(("a",))
    assert len({Stop(("a",), reason="x"), Stop(("a",))}) == 1
    assert explain(Stop(("a",), reason="why not")) == "stop 1 instance: a: why not"


def test_what_is_not_there_needs_no_other_reason() -> None:
    plan = plan_up(wanted(), State(name="demo"))
    assert {step.reason for step in plan.steps} == {NOT_THERE}
    assert [explain(step, first=True) for step in plan.steps] == [describe(s) for s in plan.steps]
    assert lines(plan)[1] == "create 1 security group: demo: not there yet"


def test_more_and_fewer_workers(cloud: FakeCloud) -> None:
    have = cloud.observe("demo")
    assert lines(plan_up(wanted(4), have)) == [
        "create 2 instances: worker-3, worker-4: the file wants 4 workers, 2 are there"
    ]
    assert lines(plan_up(wanted(1), have)) == [
        "retire 1 instance: worker-2: other workers take over data and tasks first",
        "delete 1 instance: worker-2: the file wants 1 worker, 2 are there",
    ]


def test_another_file(cloud: FakeCloud) -> None:
    have = cloud.observe("demo")
    bigger = replace(DATA, size_gib=500, type="io2", iops=None)
    file = replace(wanted(2, bigger, fixed=False), record='{"a": 1}')
    (group,) = file.security_groups
    opened = replace(group, rules=(*group.rules, Rule(port=443, source="10.0.0.0/8")))
    desktop = Group(role="desktop", count=1, shape=SHAPE)
    adopted = replace(DATA, name="raw", id="vol-raw")
    file = replace(
        file,
        groups=(desktop, file.groups[1]),
        security_groups=(opened,),
        volumes=(*file.volumes, adopted),
    )
    assert lines(plan_up(file, have)) == [
        "save the file's settings in the cloud: the settings saved there are other ones",
        "adopt 1 volume: raw: the file names it by its id, vol-raw",
        "open port 443 from 10.0.0.0/8: in the file, and not open yet",
        "create 1 instance: desktop: not there yet",
        "change 1 volume: data: 500GB and io2 and the included IOPS in the file,"
        " 100GB and gp3 and 3000 IOPS now",
        "delete 1 instance: head: not in the file any more",
        "delete 1 address: head: not in the file any more",
    ]


def test_each_reason_names_whose_it_is(cloud: FakeCloud) -> None:
    cloud.crash("demo", "worker-2")
    reconcile(cloud, "demo", lambda have, _: plan_stop(have, frozenset({"head"})))
    (start,) = plan_up(wanted(), cloud.observe("demo")).steps
    assert start == Start(("head", "worker-2"))
    assert start.reason == "stopped now (head); set-up failed (worker-2)"


def test_without_room_the_reason_stays() -> None:
    plan = plan_up(wanted(3), State(name="demo"))
    missing = Missing(Quorum({"worker": 1}))
    batch = next(s for s in plan.steps if isinstance(s, Create) and s.kind == "instance")
    missing.refused = {"worker-3": ("worker", None)}  # type: ignore[dict-item]
    left = [s for s in missing.without(plan).steps if isinstance(s, Create)]
    assert all(step.reason == batch.reason for step in left)
    assert "worker-3" not in [r.name for step in left for r in step.resources]


def test_stop_resize_and_down(cloud: FakeCloud) -> None:
    bigger = wanted(type="m7i.xlarge")
    assert run(cloud, lambda have: plan_resize(bigger, have, "head"))[:2] == [
        "stop 1 instance: head: the type of a machine changes only while it is stopped",
        "change the type of 1 instance: head: m7i.xlarge wanted, m7i.large now",
    ]
    assert run(cloud, plan_stop) == [
        "stop 3 instances: head, worker-1, worker-2: you asked for it; disks and volumes stay"
    ]
    assert run(cloud, lambda have: plan_down(have, frozenset({"data"}))) == [
        "delete 1 address: head: `down` keeps data, and nothing else",
        "delete 3 instances: head, worker-1, worker-2: `down` deletes all machines",
        "delete 1 volume: data: you named it",
        "delete 1 security group: demo: no machine is left behind it",
        "remove the file's settings from the cloud: nothing is left that they describe",
    ]


def test_park_and_back(cloud: FakeCloud) -> None:
    done = run(cloud, lambda have: plan_park(have, {}))
    state = cloud.observe("demo")
    ((snapshot,), (image,)) = state.snapshots, state.images
    assert done[2:-1] == [
        "take a snapshot of 1 volume: data: taken while the machine runs, it makes the last one"
        " short",
        "stop 1 instance: head: nothing may write while its last snapshot is taken",
        "take a snapshot of 1 volume: data: nothing writes to the volume now, so the snapshot"
        " holds all of it",
        "save the disk of 1 instance as an image: head: the machine comes back from the image",
        "record 2 copies: head, data: a copy that somebody deletes is missed when the name comes"
        " back",
        "delete 1 instance: head: its disk is saved as an image",
        f"delete 1 volume: data: its snapshot {snapshot.name} holds all of it",
    ]
    assert done[-1].endswith(": a newer copy of volume data holds all that it does")
    back = run(cloud, lambda have: plan_up(wanted(), have))
    assert f"create 1 instance: head: its disk comes back from image {image.name}" in back
    assert f"create 1 volume: data: its data comes back from snapshot {snapshot.name}" in back
    assert (
        f"mark 1 snapshot as older than the volume: {snapshot.name}:"
        " machines may write to the volume again"
    ) in lines(plan_up(wanted(), replace(state, volumes=(replace(DATA, id=snapshot.source),))))


def test_other_ways_to_park(cloud: FakeCloud) -> None:
    kept = run(cloud, lambda have: plan_park(have, {"data": ParkMode.KEEP}))
    assert kept[-1] == "stop 1 instance: head: its volumes are kept, and it is kept with them"
    woken = lines(plan_wake(cloud.observe("demo"), frozenset({"head"})))
    why = "the files of a volume go to S3 from its machine, while that runs"
    assert woken == [f"start 1 instance: head: {why}"]
    discarded = run(
        cloud, lambda have: plan_park(have, {"data": ParkMode.DISCARD}, frozenset({"data"}))
    )
    assert discarded[-1] == "delete 1 volume: data: you agreed to discard its data"


def test_a_volume_that_is_in_s3(cloud: FakeCloud) -> None:
    have = cloud.observe("demo")
    (volume,) = have.volumes
    copy = S3Copy(
        name="data",
        source=volume.id,
        place="s3://work/demo",
        tree="tree",
        sha256="0",
        size_gib=100,
        used_gib=1,
        since=volume.attached_at + 1e9,
        taken=1e9,
        sealed=True,
    )
    free = replace(have, s3_copies=(copy,), volumes=(replace(volume, state="available"),))
    modes = {"data": ParkMode.S3}
    listed = frozenset({"data"})
    assert "delete" not in lines(plan_park(free, modes))[-1]  # S3 has not listed it yet
    assert lines(plan_park(free, modes, listed=listed))[-1] == (
        "delete 1 volume: data: its copy in s3://work/demo holds all of it"
    )
    gone = replace(free, volumes=())
    assert "create 1 volume: data: its data comes back from s3://work/demo" in lines(
        plan_up(wanted(), gone)
    )
