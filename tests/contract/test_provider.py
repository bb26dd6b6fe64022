"""The contract of ``roost.providers.provider``: the same laws, unchanged, on every cloud."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, get_args, get_type_hints

import pytest

from roost.errors import BusyError, UsageError
from roost.model.resources import State, Wanted
from roost.model.steps import Create, Record, Start, Step, Stop
from roost.plan.down import plan_down
from roost.plan.up import Plan, plan_stop, plan_up
from roost.providers.provider import Capabilities, Cloud, need
from roost.reconcile.loop import reconcile
from tests.contract.conftest import Rig


class Killed(BaseException):
    """The process ended here."""


@dataclass
class Through:
    """A cloud whose steps are counted and done ``times`` over; its caller dies after ``most``."""

    cloud: Cloud
    times: int = 1
    most: int | None = None
    done: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cloud, name)

    def apply(self, name: str, step: Step) -> None:
        self.done += 1
        for _ in range(self.times):
            self.cloud.apply(name, step)
        if self.done == self.most:
            raise Killed


def up(cloud: Any, wanted: Wanted) -> State:
    def planner(have: State, given_up: frozenset[str]) -> Plan:
        return plan_up(wanted, have, given_up=given_up)

    return reconcile(cloud, wanted.name, planner)


def stop(cloud: Any, wanted: Wanted) -> State:
    return reconcile(cloud, wanted.name, lambda have, _: plan_stop(have))


def down(cloud: Any, wanted: Wanted) -> State:
    everything = frozenset(volume.name for volume in wanted.volumes)
    return reconcile(cloud, wanted.name, lambda have, _: plan_down(have, everything))


ACTS = {"up": up, "stop": stop, "down": down}
BEFORE = {"up": (), "stop": (up,), "down": (up,)}


def seen(state: State) -> dict[str, object]:
    """All of a state but the ids, which are another with every cloud and every run."""
    return {
        "record": state.record,
        "instances": sorted((i.name, i.role, i.state, i.shape.type) for i in state.instances),
        "volumes": sorted((v.name, v.state, v.holder, v.size_gib) for v in state.volumes),
        "addresses": sorted((a.name, a.holder, a.attached) for a in state.addresses),
        "groups": sorted(g.name for g in state.security_groups),
        "keys": sorted(k.name for k in state.key_pairs),
    }


def all_there(cloud: Cloud, name: str) -> dict[str, object]:
    """What is seen, and how much more carries the name's mark: a second thing made by mistake."""
    state = cloud.observe(name)
    remains = cloud.can.remains
    more = remains.remains(state) if remains is not None else ()
    return seen(state) | {"more": Counter(one.split()[0] for one in more)}


def wanted_names(wanted: Wanted) -> set[str]:
    return {group.role for group in wanted.groups}


# --- the life of a name --------------------------------------------------------------------------


def test_nothing_is_there_before_anything_is_made(rig: Rig) -> None:
    cloud = rig.open()
    assert cloud.observe(rig.wanted.name).empty
    assert [row.name for row in cloud.summaries()] == []


def test_what_was_recorded_and_created_is_seen(rig: Rig) -> None:
    cloud, wanted = rig.open(), rig.wanted
    steps = plan_up(wanted, cloud.observe(wanted.name)).steps
    assert isinstance(steps[0], Record)
    cloud.apply(wanted.name, steps[0])
    assert rig.open().observe(wanted.name).record == wanted.record
    for step in steps[1:]:
        assert isinstance(step, Create)
        cloud.apply(wanted.name, step)
    state = cloud.observe(wanted.name)
    assert {i.name for i in state.instances} == wanted_names(wanted)
    assert {v.name for v in state.volumes} == {v.name for v in wanted.volumes}


def test_up_ends_with_all_that_is_wanted_and_nothing_left_to_do(rig: Rig) -> None:
    state = up(rig.open(), rig.wanted)
    assert {i.name: i.state for i in state.instances} == dict.fromkeys(
        wanted_names(rig.wanted), "running"
    )
    assert all(v.state == "attached" for v in state.volumes)
    assert all(a.attached for a in state.addresses)
    again = rig.open().observe(rig.wanted.name)
    assert plan_up(rig.wanted, again).steps == ()
    assert seen(again) == seen(state)


def test_a_name_is_in_the_list_with_its_states_and_only_while_it_is_there(rig: Rig) -> None:
    up(rig.open(), rig.wanted)
    (row,) = rig.open().summaries()
    assert (row.name, row.cloud) == (rig.wanted.name, rig.open().name)
    assert row.states == {"running": len(rig.wanted.groups)}
    down(rig.open(), rig.wanted)
    assert rig.open().summaries() == ()


def test_stopped_machines_keep_all_and_start_again(rig: Rig) -> None:
    before = up(rig.open(), rig.wanted)
    stopped = stop(rig.open(), rig.wanted)
    assert {i.state for i in stopped.instances} == {"stopped"}
    assert [v.id for v in stopped.volumes] == [v.id for v in before.volumes]
    starts = [s for s in plan_up(rig.wanted, stopped).steps if isinstance(s, Start)]
    assert {name for start in starts for name in start.names} == wanted_names(rig.wanted)
    started = up(rig.open(), rig.wanted)
    assert [i.id for i in started.instances] == [i.id for i in before.instances]
    assert seen(started) == seen(before)


def test_one_machine_can_be_stopped_by_itself(rig: Rig) -> None:
    state = up(rig.open(), rig.wanted)
    one = state.instances[0].name
    cloud = rig.open()
    cloud.observe(rig.wanted.name)
    cloud.apply(rig.wanted.name, Stop((one,)))
    only = reconcile(cloud, rig.wanted.name, lambda have, _: plan_stop(have, frozenset({one})))
    states = {i.name: i.state for i in only.instances}
    assert states.pop(one) == "stopped"
    assert set(states.values()) <= {"running"}


def test_down_leaves_nothing(rig: Rig) -> None:
    up(rig.open(), rig.wanted)
    assert down(rig.open(), rig.wanted).empty
    there = all_there(rig.open(), rig.wanted.name)
    assert not any(there.values()), there


def test_another_name_is_left_alone(rig: Rig) -> None:
    before = up(rig.open(), rig.wanted)
    assert rig.open().observe("nobody").empty
    assert reconcile(rig.open(), "nobody", lambda have, _: plan_down(have)).empty
    assert seen(rig.open().observe(rig.wanted.name)) == seen(before)


# --- kills and repetitions -----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("act", ACTS)
def test_a_step_done_twice_changes_nothing_more(rig: Rig, act: str) -> None:
    for before in BEFORE[act]:
        before(rig.open(), rig.wanted)
    ACTS[act](Through(rig.open(), times=2), rig.wanted)
    there = all_there(rig.open(), rig.wanted.name)
    down(rig.open(), rig.wanted)
    for before in BEFORE[act]:
        before(rig.open(), rig.wanted)
    ACTS[act](rig.open(), rig.wanted)
    assert there == all_there(rig.open(), rig.wanted.name)


@pytest.mark.slow
@pytest.mark.parametrize("act", ACTS)
def test_a_kill_between_two_steps_and_the_same_again_comes_to_the_same_end(
    rig: Rig, act: str
) -> None:
    for before in BEFORE[act]:
        before(rig.open(), rig.wanted)
    calm = Through(rig.open())
    ACTS[act](calm, rig.wanted)
    end = all_there(rig.open(), rig.wanted.name)
    assert calm.done > 0
    for most in range(1, calm.done + 1):
        down(rig.open(), rig.wanted)
        for before in BEFORE[act]:
            before(rig.open(), rig.wanted)
        with pytest.raises(Killed):
            ACTS[act](Through(rig.open(), most=most), rig.wanted)
        ACTS[act](rig.open(), rig.wanted)
        assert all_there(rig.open(), rig.wanted.name) == end, f"killed after {most} steps"


def test_only_one_roost_is_at_work_on_a_name(rig: Rig) -> None:
    name = rig.wanted.name
    first, second = rig.open(), rig.open()
    with first.hold(name, "roost up"):
        with pytest.raises(BusyError, match=name), second.hold(name, "roost down"):
            raise AssertionError
        with second.hold("another", "roost down"):
            pass
    with second.hold(name, "roost down"):
        pass


# --- what is told --------------------------------------------------------------------------------


def test_logs_are_text_and_no_longer_than_asked_for(rig: Rig) -> None:
    state = up(rig.open(), rig.wanted)
    cloud = rig.open()
    cloud.observe(rig.wanted.name)
    for instance in state.instances:
        assert isinstance(cloud.logs(rig.wanted.name, instance.name, 1), str)


def test_waiting_comes_to_an_end(rig: Rig) -> None:
    cloud = rig.open()
    assert cloud.wait(rig.wanted.name, 0) is None  # type: ignore[func-returns-value]


# --- capabilities --------------------------------------------------------------------------------


def parts(protocol: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties of a protocol."""
    for name, part in vars(protocol).items():
        if not name.startswith("_") and (inspect.isfunction(part) or isinstance(part, property)):
            yield name, part


def differences(found: object, protocol: type) -> list[str]:
    """Where an object cannot be called as a protocol says."""
    wrong = []
    for name, part in parts(protocol):
        if not hasattr(found, name):
            wrong.append(f"{name} is missing")
        elif inspect.isfunction(part):
            asked = list(inspect.signature(part).parameters.values())[1:]
            taken = list(inspect.signature(getattr(found, name)).parameters.values())
            same = [(p.name, p.kind) for p in asked] == [
                (p.name, p.kind) for p in taken[: len(asked)]
            ]
            more = [p.name for p in taken[len(asked) :] if p.default is p.empty]
            if not same or more:
                wrong.append(f"{name}{inspect.signature(getattr(found, name))}")
    return wrong


def protocol_of(capability: str) -> type:
    (protocol, _) = get_args(get_type_hints(Capabilities)[capability])
    assert isinstance(protocol, type)
    return protocol


OPTIONAL = [one.name for one in fields(Capabilities) if one.default is None]


def test_a_cloud_is_called_as_the_protocol_says(rig: Rig) -> None:
    assert differences(rig.open(), Cloud) == []


@pytest.mark.parametrize("capability", OPTIONAL)
def test_a_capability_is_none_or_is_called_as_its_protocol_says(rig: Rig, capability: str) -> None:
    found = getattr(rig.open().can, capability)
    assert found is None or differences(found, protocol_of(capability)) == []


@pytest.mark.parametrize("capability", OPTIONAL)
def test_who_needs_what_a_cloud_cannot_do_is_told_which_cloud(rig: Rig, capability: str) -> None:
    cloud = rig.open()
    found = getattr(cloud.can, capability)
    if found is None:
        with pytest.raises(UsageError, match=f"^do this: {cloud.name}\\b.* cannot do that"):
            need(found, "do this", cloud)
    else:
        assert need(found, "do this", cloud) is found


def test_the_check_sees_what_is_missing_and_what_is_called_otherwise() -> None:
    class Short:
        def check_type(self, name: str, machines: tuple[str, ...], new: str) -> None:
            """Not ``instances``."""

    assert [one.partition("(")[0] for one in differences(Short(), protocol_of("resizing"))] == [
        "check_type"
    ]
    assert differences(object(), protocol_of("host_keys")) == ["host_keys is missing"]
