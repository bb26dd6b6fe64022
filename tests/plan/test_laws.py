"""The laws of the plan, on a cloud that is slow, blind and full, and that kills its caller."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.errors import CapacityError, SetupError, ThrottledError
from roost.model.resources import (
    Address,
    Group,
    KeyPair,
    Rule,
    SecurityGroup,
    Shape,
    State,
    Volume,
    Wanted,
)
from roost.model.steps import Create, Delete, Retire, Start, describe
from roost.plan.down import plan_down
from roost.plan.up import Plan, plan_start, plan_stop, plan_up
from roost.providers.fake.cloud import FakeCloud, Killed, Weather
from roost.reconcile.loop import reconcile
from tests.laws import examples

SHAPE = Shape(type="m7i.large", cpus=2, memory_gib=8)


def wanted(
    workers: int = 2,
    *,
    volumes: int = 1,
    fixed: bool = True,
    gateway: bool = False,
    record: str = "{}",
) -> Wanted:
    inner = Wanted(
        name="demo",
        record=record,
        groups=(
            Group(role="head", count=1, shape=SHAPE),
            Group(role="worker", count=workers, shape=SHAPE),
        ),
        key_pairs=(KeyPair(name="demo"),),
        security_groups=(SecurityGroup(name="demo", rules=(Rule(port=22, source="caller"),)),),
        volumes=tuple(
            Volume(name=f"data{i}", size_gib=10, type="gp3", holder="head", mount=f"/mnt/{i}")
            for i in range(volumes)
        ),
        addresses=(Address(name="head", holder="head"),) if fixed else (),
    )
    if not gateway:
        return inner
    outer = SecurityGroup(name="demo.gateway", rules=inner.security_groups[0].rules)
    return replace(
        inner,
        groups=(*inner.groups, Group(role="gateway", count=1, shape=SHAPE)),
        security_groups=(SecurityGroup(name="demo"), outer),
        addresses=(*inner.addresses, Address(name="gateway", holder="gateway")),
    )


def up(cloud: FakeCloud, want: Wanted, drop: frozenset[str] = frozenset()) -> State:
    def planner(have: State, given_up: frozenset[str]) -> Plan:
        return plan_up(want, have, drop=drop, given_up=given_up)

    return reconcile(cloud, want.name, planner)


def stop(cloud: FakeCloud) -> State:
    return reconcile(cloud, "demo", lambda have, _: plan_stop(have))


def down(cloud: FakeCloud, discard: frozenset[str] = frozenset()) -> State:
    return reconcile(cloud, "demo", lambda have, _: plan_down(have, discard))


def timeless(state: State) -> State:
    """Without ids and times, which differ from run to run."""
    return replace(
        state,
        instances=tuple(replace(i, id="", started=0) for i in state.instances),
        volumes=tuple(replace(v, id="", attached_at=0) for v in state.volumes),
    )


def running(state: State) -> list[str]:
    return sorted(i.name for i in state.instances if i.state == "running")


wants = st.builds(
    wanted,
    st.integers(0, 6),
    volumes=st.integers(0, 2),
    fixed=st.booleans(),
    gateway=st.booleans(),
    record=st.sampled_from(["{}", '{"a": 1}']),
)
weathers = st.builds(
    Weather,
    delay=st.integers(1, 4),
    blind=st.integers(0, 2),
    throttle=st.frozensets(st.integers(0, 30), max_size=6),
)


@given(wants, weathers)
def test_up_makes_all_that_is_wanted_and_then_has_nothing_to_do(want, weather):
    cloud = FakeCloud(weather)
    state = up(cloud, want)
    gateway = ["gateway"] if len(want.groups) > 2 else []
    assert running(state) == sorted(
        [*gateway, "head", *(f"worker-{i + 1}" for i in range(want.groups[1].count))]
    )
    assert [v.state for v in state.volumes] == ["attached"] * len(want.volumes)
    assert all(a.attached for a in state.addresses)
    assert state.record == want.record
    assert plan_up(want, state).done
    effects = cloud.effects
    up(cloud, want)
    assert cloud.effects == effects


@given(
    wants, wants, wants, weathers, st.lists(st.sampled_from(["worker-1", "worker-3"]), max_size=2)
)
def test_from_any_state_up_comes_to_the_same_end(first, second, last, weather, crashed):
    cloud = FakeCloud(weather)
    up(cloud, first)
    stop(cloud)
    up(cloud, second)
    for name in crashed:
        with contextlib.suppress(Exception):
            cloud.crash("demo", name)
    state = up(cloud, last)
    assert len(running(state)) == sum(group.count for group in last.groups)
    assert {g.name for g in state.security_groups} == {g.name for g in last.security_groups}
    assert plan_up(last, state).done
    assert not cloud.lost


@settings(max_examples=examples(300))
@given(
    wants,
    weathers,
    st.integers(0, 12),
    st.booleans(),
    st.sampled_from(["up", "stop", "down", "less"]),
)
def test_killed_at_any_effect_the_same_command_comes_to_the_same_end(
    want, weather, at, after, verb
):
    verbs = {
        "up": partial(up, want=want),
        "stop": stop,
        "down": down,
        "less": partial(up, want=replace(want, groups=want.groups[:1])),
    }
    calm, stormy = FakeCloud(replace(weather, throttle=frozenset())), FakeCloud(weather)
    for cloud in (calm, stormy):
        if verb != "up":
            up(cloud, want)
    expected = verbs[verb](calm)
    at += stormy.effects
    stormy.weather = replace(weather, **{"kill_after" if after else "kill_before": at})
    with contextlib.suppress(Killed):
        verbs[verb](stormy)
    stormy.weather = weather
    assert timeless(verbs[verb](stormy)) == timeless(expected)
    assert not stormy.lost


@settings(max_examples=examples(100))
@given(st.integers(0, 3), weathers, st.integers(0, 12), st.sampled_from(["stop", "down"]))
def test_what_is_left_of_it_can_be_reached_whenever_it_is_killed(workers, weather, at, verb):
    """The gateway is up as long as any other machine is."""
    cloud = FakeCloud(weather)
    want = wanted(workers, gateway=True)
    up(cloud, want)
    cloud.weather = replace(weather, kill_after=cloud.effects + at)
    with contextlib.suppress(Killed):
        {"stop": stop, "down": down}[verb](cloud)
    left = running(cloud.observe("demo"))
    assert not left or "gateway" in left
    cloud.weather = weather
    up(cloud, want)
    off = stop(cloud)
    for plan in (plan_up(want, off), plan_start(want, off, "head")):
        starts = [s for s in plan.steps if isinstance(s, Start)]
        assert starts[0] == Start(("gateway",))


@given(wants, weathers, st.data())
def test_down_deletes_a_volume_only_if_its_name_was_typed(want, weather, data):
    cloud = FakeCloud(weather)
    up(cloud, want)
    names = [v.name for v in want.volumes]
    typed = data.draw(st.frozensets(st.sampled_from(names))) if names else frozenset()
    state = down(cloud, typed)
    assert {v.name for v in state.volumes} == set(names) - typed
    assert set(cloud.lost) <= typed
    assert not state.instances
    assert not state.addresses
    assert not state.security_groups
    assert not state.key_pairs
    assert (state.record is None) == (not state.volumes)
    assert bool(cloud.summaries()) == bool(state.volumes)


@given(st.integers(1, 8), st.integers(0, 8), st.sets(st.integers(1, 8)))
def test_fewer_workers_retires_the_named_ones_first_and_deletes_last(before, after, chosen):
    cloud = FakeCloud()
    up(cloud, wanted(before))
    drop = frozenset(f"worker-{i}" for i in chosen)
    plan = plan_up(wanted(after), cloud.observe("demo"), drop=drop)
    gone = [s for s in plan.steps if isinstance(s, Delete)]
    retired = [s for s in plan.steps if isinstance(s, Retire)]
    if after >= before:
        assert not gone
        return
    (delete,) = gone
    assert plan.steps[-1] == delete
    assert retired == [Retire(delete.names)]
    there = {f"worker-{i}" for i in range(1, before + 1)}
    assert len(delete.names) == before - after
    assert set(delete.names) <= there
    must = drop & there
    assert (
        must <= set(delete.names) if len(must) <= len(delete.names) else set(delete.names) <= must
    )


def test_a_thousand_workers_are_one_step():
    plan = plan_up(wanted(1000), State(name="demo"))
    batches = [s for s in plan.steps if isinstance(s, Create) and s.kind == "instance"]
    assert [len(s.resources) for s in batches] == [1, 1000]
    assert describe(batches[1]) == (
        "create 1000 instances: worker-1, worker-2, worker-3 ... worker-1000"
    )


def test_gaps_in_the_numbers_are_filled_first():
    cloud = FakeCloud()
    up(cloud, wanted(3))
    up(cloud, wanted(2), frozenset({"worker-1"}))
    assert running(up(cloud, wanted(3))) == ["head", "worker-1", "worker-2", "worker-3"]


def test_a_dead_instance_is_started_again_and_no_other_is_touched():
    cloud = FakeCloud()
    up(cloud, wanted(3))
    cloud.crash("demo", "worker-2")
    assert plan_up(wanted(3), cloud.observe("demo")).steps == (Start(("worker-2",)),)


def test_a_broken_set_up_is_named_while_the_others_go_on():
    cloud = FakeCloud(Weather(broken=frozenset({"worker-2"})))
    with pytest.raises(SetupError, match=r"worker-2(.|\n)*E: set-up failed"):
        up(cloud, wanted(3))
    assert running(cloud.observe("demo")) == ["head", "worker-1", "worker-3"]
    cloud.weather = Weather()
    assert running(up(cloud, wanted(3))) == ["head", "worker-1", "worker-2", "worker-3"]


def test_no_capacity_is_said_and_a_rerun_goes_on():
    cloud = FakeCloud(Weather(capacity={"m7i.large": 1}))
    with pytest.raises(CapacityError, match=r"m7i\.large"):
        up(cloud, wanted(3))
    cloud.weather = Weather()
    assert len(running(up(cloud, wanted(3)))) == 4


def test_endless_throttling_ends():
    cloud = FakeCloud(Weather(throttle=frozenset(range(1000))))
    with pytest.raises(ThrottledError):
        up(cloud, wanted())


def test_a_volume_no_longer_in_the_file_is_kept_and_said():
    cloud = FakeCloud()
    up(cloud, wanted(1, volumes=2))
    state = up(cloud, wanted(1, volumes=1))
    assert [v.name for v in state.volumes] == ["data0", "data1"]
    assert plan_up(wanted(1, volumes=1), state).notes == (
        "volume data1 is not in the file any more; it is kept",
    )
