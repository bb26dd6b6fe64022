"""The loop goes on with fewer workers where a quorum allows it, and names the missing ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from roost.errors import CapacityError, CloudError, PartlyDoneError, SetupError, ThrottledError
from roost.model.resources import Group, Instance, Resource, Shape, State, Wanted
from roost.plan.up import Plan, plan_up
from roost.providers.fake.cloud import FakeCloud, Weather
from roost.reconcile.loop import Goal, Progress, reconcile, run_loop
from roost.reconcile.quorum import PartlyUpError, Quorum, quorum_of

HEAD = Shape(type="m7i.large", cpus=2, memory_gib=8)
WORKER = Shape(type="m7i.xlarge", cpus=4, memory_gib=16)


def cluster(workers: int, least: int | None = None) -> Wanted:
    return Wanted(
        name="ndvi",
        record=f'{{"workers": {workers}}}',
        groups=(
            Group(role="head", count=1, shape=HEAD),
            Group(role="worker", count=workers, shape=WORKER, least=least),
        ),
    )


class Sparse(FakeCloud):
    """As EC2 does, it launches as many as there is room for, and only then says that it is full.

    (FakeCloud by itself refuses the whole batch.)
    """

    room = 0

    def _check_capacity(self, resources: tuple[Resource, ...]) -> None:
        """Each batch is checked here, below."""

    def _create(self, name: str, resources: tuple[Resource, ...]) -> None:
        workers = [r for r in resources if isinstance(r, Instance) and r.role == "worker"]
        if len(workers) <= self.room:
            self.room -= len(workers)
            return super()._create(name, resources)
        super()._create(name, resources[: self.room])
        short = len(workers) - self.room
        self.room = 0
        raise CapacityError(f"no room for {short} of {len(workers)}", next="another zone")


@dataclass
class Clock:
    """Every wait takes ten seconds."""

    now: float = 0

    def __call__(self) -> float:
        return self.now


class Slow(FakeCloud):
    """Some machines never come up; waiting for them takes time."""

    clock: Clock
    stuck: frozenset[str] = frozenset()

    def wait(self, name: str, since: float) -> None:
        self.clock.now += 10
        for (_, one), thing in self.things.of(name).items():
            if one in self.stuck and isinstance(thing.resource, Instance):
                thing.left = 2
        super().wait(name, since)


def up(cloud: FakeCloud, wanted: Wanted, quorum: Quorum, clock: Clock | None = None) -> State:
    def planner(have: State, given_up: frozenset[str]) -> Plan:
        return plan_up(wanted, have, given_up=given_up)

    seen: list[Progress] = []
    return reconcile(
        cloud, wanted.name, planner, seen.append, quorum=quorum, clock=clock or Clock()
    )


def states(state: State) -> dict[str, str]:
    return {i.name: i.state for i in state.instances}


def sparse(room: int) -> Sparse:
    cloud = Sparse(Weather())
    cloud.room = room
    return cloud


def test_what_is_enough_comes_from_what_is_wanted() -> None:
    assert quorum_of(cluster(5, least=3)) == Quorum({"worker": 3})
    assert quorum_of(cluster(5)) == Quorum()


def test_with_room_for_all_nothing_is_missing() -> None:
    state = up(sparse(5), cluster(5), Quorum({"worker": 1}))
    assert len(state.instances) == 6
    assert set(states(state).values()) == {"running"}


def test_enough_workers_run_and_the_missing_are_named() -> None:
    cloud = sparse(3)
    with pytest.raises(PartlyUpError) as caught:
        up(cloud, cluster(5), Quorum({"worker": 3}))
    error = caught.value
    assert isinstance(error, PartlyDoneError)
    assert error.exit_code == 3
    assert error.what == "ndvi is up without worker-4, worker-5: no room for 2 of 5"
    assert str(error.next).startswith("roost up ndvi ")
    assert error.exists == ()
    assert states(error.state) == {
        "head": "running",
        "worker-1": "running",
        "worker-2": "running",
        "worker-3": "running",
    }
    # It asked once, and did not go on asking.
    assert cloud.calls["Create"] == 2

    cloud.room = 2
    assert len(up(cloud, cluster(5), Quorum({"worker": 3})).instances) == 6


def test_with_fewer_than_enough_it_stops_and_says_what_is_there() -> None:
    cloud = sparse(2)
    with pytest.raises(CapacityError, match="no room for 3 of 5") as caught:
        up(cloud, cluster(5), Quorum({"worker": 3}))
    assert caught.value.next == "another zone"
    assert caught.value.exists == ("head (pending)", "worker-1 (pending)", "worker-2 (pending)")


def test_with_none_needed_the_head_alone_is_enough() -> None:
    with pytest.raises(PartlyUpError) as caught:
        up(sparse(0), cluster(2), Quorum({"worker": 0}))
    assert states(caught.value.state) == {"head": "running"}


def test_without_a_quorum_no_room_ends_it_at_once() -> None:
    cloud = sparse(4)
    with pytest.raises(CapacityError, match="no room for 1 of 5"):
        up(cloud, cluster(5), Quorum())
    assert cloud.calls["observe"] == 1


def test_a_head_is_never_done_without() -> None:
    cloud = FakeCloud(Weather(capacity={"m7i.large": 0}))
    with pytest.raises(CapacityError, match=r"m7i\.large"):
        up(cloud, cluster(2), Quorum({"worker": 1}))


def test_more_workers_than_there_is_room_for_leave_those_that_run() -> None:
    """FakeCloud refuses the whole batch: nothing of it is there, and the old ones are enough."""
    cloud = FakeCloud(Weather())
    up(cloud, cluster(2), Quorum({"worker": 1}))
    cloud.weather = Weather(capacity={"m7i.xlarge": 0})
    with pytest.raises(PartlyUpError, match="without worker-3, worker-4") as caught:
        up(cloud, cluster(4), Quorum({"worker": 2}))
    assert len(caught.value.state.instances) == 3


def test_the_last_ones_have_their_time_once_all_else_runs() -> None:
    cloud = Slow(Weather(delay=3))
    cloud.clock, cloud.stuck = Clock(), frozenset({"worker-2"})
    with pytest.raises(PartlyUpError) as caught:
        up(cloud, cluster(3), Quorum({"worker": 2}, patience=300), cloud.clock)
    assert caught.value.what == (
        "ndvi is up without worker-2: worker-2 not ready 5 minutes after the rest"
    )
    assert caught.value.exists == ("worker-2 (pending)",)
    # Three waits until the rest ran, and then 300 seconds of ten each.
    assert cloud.clock.now == 330


def test_nobody_runs_out_of_patience_while_there_are_too_few() -> None:
    cloud = Slow(Weather(delay=100))
    cloud.clock = Clock()
    state = up(cloud, cluster(3), Quorum({"worker": 2}, patience=60), cloud.clock)
    assert set(states(state).values()) == {"running"}
    assert cloud.clock.now == 1000


def test_one_that_failed_is_told_as_that_though_there_are_enough() -> None:
    cloud = sparse(3)
    cloud.weather = replace(cloud.weather, broken=frozenset({"worker-1"}))
    with pytest.raises(SetupError, match="worker-1"):
        up(cloud, cluster(5), Quorum({"worker": 2}))


def test_many_missing_are_not_all_named() -> None:
    with pytest.raises(PartlyUpError) as caught:
        up(sparse(10), cluster(1000), Quorum({"worker": 5}))
    assert caught.value.what.startswith(
        "ndvi is up without worker-11, worker-12, worker-13, worker-14, worker-15 ... "
        "worker-1000 (990 in all): "
    )


@dataclass
class Lamp:
    """No cloud: it is on after ``needed`` tries, and the first look is throttled."""

    needed: int
    tried: int = 0
    looks: int = 0
    waits: int = 0

    def observe(self, name: str) -> int:
        del name
        self.looks += 1
        if self.looks == 1:
            raise ThrottledError("too many calls")
        return self.tried

    def apply(self, name: str, step: str) -> None:
        del name
        assert step == "switch on"
        self.tried += 1

    def wait(self, name: str, since: float) -> None:
        del name, since
        self.waits += 1


@dataclass(frozen=True)
class Switch:
    steps: tuple[str, ...]

    @property
    def done(self) -> bool:
        return not self.steps


def switched(lamp: Lamp, tries: int) -> int:
    def plan(tried: int) -> Switch:
        return Switch(() if tried >= lamp.needed else ("switch on",))

    return run_loop(lamp, "lamp", Goal(plan=plan, watch=lambda *_: None, tries=tries))


def test_the_loop_drives_whatever_can_be_observed_and_changed() -> None:
    lamp = Lamp(needed=3)
    assert switched(lamp, tries=3) == 3
    # One wait after the throttled look, and one after each try that came back.
    assert (lamp.looks, lamp.waits) == (5, 3)


def test_a_step_that_comes_back_too_often_ends_it() -> None:
    with pytest.raises(CloudError, match="switch on: done 3 times, and the cloud shows no change"):
        switched(Lamp(needed=4), tries=3)
