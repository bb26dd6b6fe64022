"""The life of desktops and clusters on AWS, and what interrupts it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from roost.errors import CapacityError
from roost.model.resources import Rule, Volume
from roost.plan.up import plan_up
from roost.reconcile.loop import reconcile
from tests.aws.conftest import Account
from tests.aws.scenes import DESKTOP, RULES, cluster, names
from tests.aws.strict import Killed, Weather


def test_a_desktop_from_up_to_down(account: Account) -> None:
    state = account.up(DESKTOP)
    assert names(state) == {"desktop": "running"}
    assert [(v.name, v.state, v.holder, v.size_gib) for v in state.volumes] == [
        ("data", "attached", "desktop", 500)
    ]
    assert state.addresses[0].attached
    assert set(state.security_groups[0].rules) >= set(RULES)
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


def test_an_address_that_a_killed_process_had_got_is_given_back(account: Account) -> None:
    """EC2 knows no second wish for the same address, and shows a new one late."""
    account.up(DESKTOP)
    calls = account.ec2.calls
    last = calls.index("AssociateAddress")
    for at in range(last - 4, last):
        account.down("stars", discard=frozenset({"data"}))
        account.settle()
        account.ec2.weather = Weather(blind=3, kill_after=len(calls) + at)
        with suppress(Killed):
            account.up(DESKTOP)
        account.ec2.weather = Weather(blind=3)
        account.up(DESKTOP)
        account.settle()
        assert len(account.left()["addresses"]) == 1, calls[at]


def test_another_address_of_the_user_is_let_in(account: Account) -> None:
    account.up(DESKTOP)
    elsewhere = account.roost()
    elsewhere.caller = lambda: "198.51.100.9/32"
    state = reconcile(elsewhere, "stars", lambda have, _: plan_up(DESKTOP, have))
    assert Rule(port=22, source="caller") in state.security_groups[0].rules


@pytest.mark.parametrize("count", [1, 10, 100, pytest.param(1000, marks=pytest.mark.slow)])
def test_calls_do_not_grow_with_the_number_of_machines(account: Account, count: int) -> None:
    account.ec2.weather = Weather(delay=0)
    account.up(cluster(count))
    assert len(account.ec2.calls) == 10, account.ec2.calls
