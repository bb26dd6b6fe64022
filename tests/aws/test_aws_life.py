"""The life of desktops and clusters on AWS, and what interrupts it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from roost.clouds.converge import converge
from roost.errors import CapacityError, RoostError
from roost.plan.plan import plan_up
from roost.plan.resources import (
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
from tests.aws.conftest import Account
from tests.aws.strict import Killed, Weather

SHAPE = Shape(type="m5.large", cpus=2, memory_gib=8, image="ubuntu-24.04", disk_gib=30)
RULES = (Rule(port=22, source="caller"), Rule(port=443, source="192.0.2.0/24"))
DESKTOP = Wanted(
    name="stars",
    record='{"name": "stars", "kind": "desktop", "tags": {"group": "astro"}}',
    groups=(Group(role="desktop", count=1, shape=SHAPE),),
    key_pairs=(KeyPair(name="stars"),),
    security_groups=(SecurityGroup(name="stars", rules=RULES),),
    volumes=(Volume(name="data", size_gib=500, type="gp3", holder="desktop", mount="/data"),),
    addresses=(Address(name="desktop", holder="desktop"),),
)


def cluster(workers: int = 3, *, spot: bool = False) -> Wanted:
    worker = Shape(
        type="m5.xlarge", cpus=4, memory_gib=16, image="ubuntu-24.04", disk_gib=30, spot=spot
    )
    return Wanted(
        name="ndvi",
        record='{"name": "ndvi", "kind": "cluster"}',
        groups=(
            Group(role="head", count=1, shape=SHAPE),
            Group(role="worker", count=workers, shape=worker),
        ),
        key_pairs=(KeyPair(name="ndvi"),),
        security_groups=(SecurityGroup(name="ndvi", rules=RULES[:1]),),
    )


def names(state: State) -> dict[str, str]:
    return {i.name: i.state for i in state.instances}


def test_a_desktop_from_up_to_down(account: Account) -> None:
    state = account.up(DESKTOP)
    assert names(state) == {"desktop": "running"}
    assert [(v.name, v.state, v.holder, v.size_gib) for v in state.volumes] == [
        ("data", "attached", "desktop", 500)
    ]
    assert state.addresses[0].attached
    assert set(state.security_groups[0].rules) == set(RULES)
    assert state.record == DESKTOP.record

    again = len(account.ec2.calls)
    account.up(DESKTOP)
    assert {call for call in account.ec2.calls[again:] if not call.startswith("Describe")} == set()

    assert names(account.stop("stars")) == {"desktop": "stopped"}
    assert names(account.up(DESKTOP)) == {"desktop": "running"}

    kept = account.down("stars")
    assert [v.name for v in kept.volumes] == ["data"]
    assert kept.record == DESKTOP.record  # with the data, so that `up` finds both again
    assert set(account.left()) == {"volumes", "templates"}

    state = account.up(DESKTOP)
    assert [(v.id, v.state) for v in state.volumes] == [(kept.volumes[0].id, "attached")]
    account.down("stars", discard=frozenset({"data"}))
    assert account.left() == {}


def test_two_volumes_get_a_device_each(account: Account) -> None:
    scratch = Volume(name="scratch", size_gib=50, type="gp3", holder="desktop", mount="/scratch")
    two = replace(DESKTOP, volumes=(*DESKTOP.volumes, scratch))
    state = account.up(two)
    assert {v.name: v.state for v in state.volumes} == {"data": "attached", "scratch": "attached"}
    attached = [asked["Device"] for name, asked in account.ec2.asked if name == "AttachVolume"]
    assert attached == ["/dev/sdf", "/dev/sdg"]


def test_all_that_is_made_is_tagged_and_encrypted(account: Account) -> None:
    account.up(DESKTOP)
    client = account.client
    for reservation in client.describe_instances()["Reservations"]:
        for instance in reservation["Instances"]:
            found = {t["Key"]: t["Value"] for t in instance["Tags"]}
            assert found["roost"] == "stars"
            assert found["group"] == "astro"
            assert found["Name"] == "stars desktop"
    for volume in client.describe_volumes()["Volumes"]:
        assert volume["Encrypted"]
        assert {"Key": "roost", "Value": "stars"} in volume["Tags"]
    (launch,) = [asked for name, asked in account.ec2.asked if name == "RunInstances"]
    assert launch["MetadataOptions"]["HttpTokens"] == "required"
    assert launch["InstanceInitiatedShutdownBehavior"] == "stop"


def test_scaling_and_spot(account: Account) -> None:
    account.up(cluster(3, spot=True))
    assert names(account.up(cluster(1, spot=True))) == {"head": "running", "worker-1": "running"}
    grown = account.up(cluster(5, spot=True))
    assert names(grown) == dict.fromkeys(["head", *(f"worker-{n}" for n in range(1, 6))], "running")
    assert all(i.shape.spot for i in grown.instances if i.role == "worker")
    # A spot machine cannot be stopped, and holds no data: it goes, and comes again.
    assert names(account.stop("ndvi")) == {"head": "stopped"}
    assert len(account.up(cluster(5, spot=True)).instances) == 6
    account.down("ndvi")
    assert account.left() == {}
    account.forget_the_dead()


def test_where_a_zone_is_full_the_next_is_taken_and_all_stay_together(account: Account) -> None:
    account.ec2.weather = Weather(full=frozenset({("m5.large", "eu-central-1a")}))
    account.up(cluster(2))
    client = account.client
    zones = {
        instance["Placement"]["AvailabilityZone"]
        for reservation in client.describe_instances()["Reservations"]
        for instance in reservation["Instances"]
    }
    assert zones == {"eu-central-1b"}


def test_no_room_anywhere_says_where_it_was_tried(account: Account) -> None:
    everywhere = frozenset(("m5.large", f"eu-central-1{zone}") for zone in "abc")
    account.ec2.weather = Weather(full=everywhere)
    with pytest.raises(CapacityError, match=r"eu-central-1a.*eu-central-1b.*eu-central-1c"):
        account.up(cluster(2))
    account.ec2.weather = Weather()
    assert len(account.up(cluster(2)).instances) == 3


def test_a_launch_that_cannot_be_seen_yet_is_not_made_twice(account: Account) -> None:
    for blind in (1, 3, 6):
        account.ec2.weather = Weather(blind=blind)
        assert len(account.up(cluster(3)).instances) == 4
        account.settle()
        account.down("ndvi")
        account.settle()
        assert account.left() == {}


def test_another_address_of_the_user_is_let_in(account: Account) -> None:
    account.up(DESKTOP)
    elsewhere = account.roost()
    elsewhere.caller = lambda: "198.51.100.9/32"
    state = converge(elsewhere, "stars", lambda have, _: plan_up(DESKTOP, have))
    assert Rule(port=22, source="caller") in state.security_groups[0].rules


@pytest.mark.parametrize("count", [1, 10, 100, 1000])
def test_calls_do_not_grow_with_the_number_of_machines(account: Account, count: int) -> None:
    account.ec2.weather = Weather(delay=0)
    account.up(cluster(count))
    asked = len(account.ec2.calls) + len(account.ssm.asked)
    assert asked <= 12, account.ec2.calls


# --- the sweeps --------------------------------------------------------------------------------

SCENES: dict[str, Callable[[Account], object]] = {
    "desktop up": lambda a: a.up(DESKTOP),
    "desktop stop": lambda a: a.stop("stars"),
    "desktop down": lambda a: a.down("stars"),
    "desktop discard": lambda a: a.down("stars", frozenset({"data"})),
    "cluster up": lambda a: a.up(cluster()),
    "cluster grow": lambda a: a.up(cluster(5)),
    "cluster shrink": lambda a: a.up(cluster(1)),
    "cluster stop": lambda a: a.stop("ndvi"),
    "cluster down": lambda a: a.down("ndvi"),
    "desktop park": lambda a: a.park("stars"),
    "desktop resume": lambda a: a.up(DESKTOP),
    "desktop park again": lambda a: a.park("stars"),
    "desktop archive": lambda a: a.park("stars", data="archive"),
    "desktop resize": lambda a: a.resize(LARGER, "desktop"),
    "desktop grow": lambda a: a.up(replace(DESKTOP, volumes=(LARGER_DATA,))),
    "desktop parked down": lambda a: a.down("stars", frozenset({"stars"})),
    "cluster park": lambda a: a.park("ndvi"),
    "cluster resume": lambda a: a.up(cluster()),
}
LARGER_DATA = replace(DESKTOP.volumes[0], size_gib=800)
LARGER = replace(
    DESKTOP,
    record='{"name": "stars", "kind": "desktop", "larger": true}',
    groups=(Group(role="desktop", count=1, shape=replace(SHAPE, type="m5.4xlarge")),),
)
BEFORE = {
    "desktop up": (),
    "cluster up": (),
    "desktop resume": ("desktop up", "desktop park"),
    "desktop park again": ("desktop up", "desktop park", "desktop resume"),
    "desktop parked down": ("desktop up", "desktop park"),
    "cluster resume": ("cluster up", "cluster park"),
}
"""What comes before a scene, where that is not just its ``up``."""


def prepare(account: Account, scene: str) -> None:
    """What must be there for the scene to begin; and then nothing is counted yet."""
    account.ec2.weather = Weather()
    account.ec2.discarded = {"data"} if scene in DISCARDS else set()
    for before in BEFORE.get(scene, (f"{scene.split(maxsplit=1)[0]} up",)):
        SCENES[before](account)
    account.settle()
    account.ec2.calls.clear()


DISCARDS = ("desktop discard", "desktop parked down")


def calm(account: Account, scene: str) -> tuple[int, dict[str, object]]:
    """How many calls the scene takes when nothing goes wrong, and what is there then."""
    prepare(account, scene)
    SCENES[scene](account)
    calls, wanted = len(account.ec2.calls), summary(account)
    clean(account)
    return calls, wanted


def summary(account: Account) -> dict[str, object]:
    """What is there, without the ids that differ from run to run."""
    account.ec2.weather = Weather()
    account.settle()
    found = {}
    for name in ("stars", "ndvi"):
        state = account.roost().observe(name)
        found[name] = (
            [(i.name, i.state, i.shape.type) for i in state.instances],
            [(v.name, v.state, v.size_gib) for v in state.volumes],
            [(a.name, a.attached) for a in state.addresses],
            [g.name for g in state.security_groups],
            [(s.volume, s.state, s.sealed, s.tier) for s in state.snapshots],
            [(i.instance, i.state) for i in state.images],
            state.record,
        )
    left = account.left()
    return {**found, "counts": {kind: len(ids) for kind, ids in left.items()}}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scene", "blind"),
    [*((scene, 0) for scene in SCENES), ("desktop up", 3), ("cluster up", 3), ("cluster grow", 3)],
)
def test_the_kill_sweep(account: Account, scene: str, blind: int, swept: dict[str, int]) -> None:
    """Killed before and after every single call in turn; the same command again.

    ``blind``: what was just made cannot be seen by so many looks, also not by the next process.
    """
    calls, wanted = calm(account, scene)
    title = f"kill sweep, {scene}" + (", blind" if blind else "")
    for number in range(calls):
        for moment in ("kill_before", "kill_after"):
            prepare(account, scene)
            account.ec2.weather = Weather(blind=blind, **{moment: number})  # type: ignore[arg-type]
            if not killed(account, scene):
                assert number >= len(account.ec2.calls)  # this time it took fewer calls
                continue
            account.ec2.weather = Weather(blind=blind)
            SCENES[scene](account)
            assert summary(account) == wanted, (number, moment)
            clean(account)
            swept[title] = swept.get(title, 0) + 1
    assert swept[title] >= 2 * (calls - 3)


def killed(account: Account, scene: str) -> bool:
    try:
        SCENES[scene](account)
    except Killed:
        return True
    return False


FAULTS = ("RequestLimitExceeded", "InternalError", "lost answer", "ExpiredToken")


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("scene", SCENES)
def test_the_fault_sweep(account: Account, scene: str, fault: str, swept: dict[str, int]) -> None:
    """One fault at every single call in turn: it goes on, or stops with a message; then again."""
    calls, wanted = calm(account, scene)
    for number in range(calls):
        prepare(account, scene)
        account.ec2.weather = (
            Weather(lost_answers=frozenset({number}))
            if fault == "lost answer"
            else Weather(errors={number: fault})
        )
        with contextlib.suppress(RoostError):
            SCENES[scene](account)
        account.ec2.weather = Weather()
        SCENES[scene](account)
        assert summary(account) == wanted, number
        clean(account)
    swept[f"fault sweep, {fault}, {scene}"] = calls


def clean(account: Account) -> None:
    """Nothing is left after `down`, tagged or not, but data that nobody discarded."""
    assert account.ec2.lost == []
    account.ec2.discarded = {"data"}
    account.down("stars", frozenset({"stars"}))
    account.down("ndvi", frozenset({"ndvi"}))
    assert account.left() == {}
    account.ec2.discarded = set()
    account.ec2.buried.clear()
    account.forget_the_dead()
