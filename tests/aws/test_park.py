"""Parking, resuming, resizing and adopting on AWS."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from roost.errors import CloudError, RoostError
from roost.model.resources import State
from roost.plan.up import plan_up
from roost.providers.aws.audit import sweep
from roost.reconcile.loop import reconcile
from tests.aws.conftest import Account
from tests.aws.scenes import DESKTOP, LARGER, cluster
from tests.aws.strict import Weather


def copies(state: State) -> list[tuple[str, str, str]]:
    return [
        *((s.volume, s.state, s.tier) for s in state.snapshots),
        *((i.instance, i.state, "image") for i in state.images),
    ]


def test_a_desktop_is_parked_and_comes_back_with_all_that_was_on_it(account: Account) -> None:
    up = account.up(DESKTOP)
    parked = account.park("stars")
    assert (parked.instances, parked.volumes) == ((), ())
    assert copies(parked) == [("data", "completed", "standard"), ("desktop", "completed", "image")]
    assert parked.addresses[0].ip == up.addresses[0].ip
    assert not parked.addresses[0].attached
    # Of the two snapshots (while it ran, after the stop) the first is gone again.
    assert account.ec2.counted["CreateSnapshot"] == 2
    assert set(account.left()) == {
        "snapshots",
        "images",
        "addresses",
        "groups",
        "keys",
        "templates",
    }
    assert len(account.left()["snapshots"]) == 2  # the volume's, and the image's own

    resumed = account.up(DESKTOP)
    assert [(v.name, v.state, v.size_gib) for v in resumed.volumes] == [("data", "attached", 500)]
    assert resumed.addresses[0].attached
    assert resumed.addresses[0].ip == up.addresses[0].ip
    launches = [asked for name, asked in account.ec2.asked if name == "RunInstances"]
    assert launches[-1]["ImageId"] == parked.images[0].name
    assert resumed.volumes[0].id != up.volumes[0].id
    assert account.ec2.lost == []


def test_parked_again_and_again_nothing_is_lost_and_nothing_piles_up(account: Account) -> None:
    for _ in range(4):
        account.up(DESKTOP)
        parked = account.park("stars")
        assert copies(parked) == [
            ("data", "completed", "standard"),
            ("desktop", "completed", "image"),
        ]
        assert len(account.left()["snapshots"]) == 2
    assert account.ec2.lost == []
    account.ec2.discarded = {"data"}
    account.down("stars", frozenset({"stars"}))
    assert account.left() == {}


def test_it_comes_back_in_another_zone_where_its_own_is_full(account: Account) -> None:
    account.up(DESKTOP)
    account.park("stars")
    account.ec2.weather = Weather(full=frozenset({("m5.large", "eu-central-1a")}))
    account.up(DESKTOP)
    (volume,) = [v for v in account.client.describe_volumes()["Volumes"] if v["Size"] == 500]
    assert volume["AvailabilityZone"] == "eu-central-1b"
    assert account.ec2.lost == []


def test_a_parked_cluster_keeps_the_heads_disk_and_nothing_of_the_workers(
    account: Account,
) -> None:
    account.up(cluster(3))
    parked = account.park("ndvi")
    assert copies(parked) == [("head", "completed", "image")]
    back = account.up(cluster(3))
    assert [i.name for i in back.instances] == ["head", "worker-1", "worker-2", "worker-3"]
    systems = {i.name: i.shape.image == parked.images[0].name for i in back.instances}
    assert systems == {"head": True, "worker-1": False, "worker-2": False, "worker-3": False}


def test_the_archive_is_waited_for_without_renting_anything(account: Account) -> None:
    account.up(DESKTOP)
    parked = account.park("stars", data="archive")
    account.settle()
    assert copies(parked)[0][0] == "data"
    assert account.roost().observe("stars").snapshots[0].tier == "archived"
    state = account.up(DESKTOP)
    assert state.instances == ()
    account.settle()
    state = account.up(DESKTOP)
    assert [v.state for v in state.volumes] == ["attached"]
    assert account.ec2.lost == []


def test_a_resize_keeps_volumes_and_address(account: Account) -> None:
    before = account.up(DESKTOP)
    after = account.resize(LARGER, "desktop")
    assert [(i.id, i.shape.type, i.state) for i in after.instances] == [
        (before.instances[0].id, "m5.4xlarge", "running")
    ]
    assert [v.id for v in after.volumes] == [before.volumes[0].id]
    assert after.record == LARGER.record


def test_a_volume_grows_online(account: Account) -> None:
    account.up(DESKTOP)
    grown = replace(DESKTOP, volumes=(replace(DESKTOP.volumes[0], size_gib=800),))
    state = account.up(grown)
    assert [(v.size_gib, v.state) for v in state.volumes] == [(800, "attached")]
    assert account.ec2.counted["ModifyVolume"] == 1
    assert account.ec2.counted["StopInstances"] == 0
    account.settle()
    account.up(grown)
    assert account.ec2.counted["ModifyVolume"] == 1


def test_an_existing_volume_is_taken_in_and_never_deleted(account: Account) -> None:
    theirs = account.client.create_volume(AvailabilityZone="eu-central-1b", Size=10)["VolumeId"]
    want = replace(DESKTOP, volumes=(replace(DESKTOP.volumes[0], id=theirs, size_gib=10),))
    state = account.up(want)
    assert [(v.id, v.adopted, v.state) for v in state.volumes] == [(theirs, True, "attached")]
    state = account.park("stars", frozenset({"data"}), data="discard")
    assert [v.id for v in state.volumes] == [theirs]
    account.down("stars", frozenset({"stars"}))
    assert account.left() == {"volumes": [theirs]}
    (volume,) = account.client.describe_volumes()["Volumes"]
    assert volume.get("Tags", []) == [{"Key": "group", "Value": "astro"}]


def test_somebody_elses_volume_is_refused(account: Account) -> None:
    group = replace(DESKTOP.security_groups[0], name="other")
    other = account.up(replace(DESKTOP, name="other", security_groups=(group,))).volumes[0].id
    want = replace(DESKTOP, volumes=(replace(DESKTOP.volumes[0], id=other),))
    with pytest.raises(CloudError, match="belongs to other"):
        account.up(want)


def test_a_restored_volume_is_read_in_as_the_file_says(account: Account) -> None:
    account.up(DESKTOP)
    account.park("stars")
    warm = replace(DESKTOP, volumes=(replace(DESKTOP.volumes[0], warm=200),))
    account.up(warm)
    made = [asked for name, asked in account.ec2.asked if name == "CreateVolume"]
    assert "VolumeInitializationRate" not in made[0]
    assert made[1]["VolumeInitializationRate"] == 200
    assert made[1]["SnapshotId"].startswith("snap-")


def stored_in(asked: dict[str, Any]) -> bool:
    """Whether a call writes down a copy in S3."""
    return any(tag["Key"].startswith("roost:stored:") for tag in asked.get("Tags", ()))


def test_a_volume_goes_to_s3_and_the_record_knows_where(account: Account) -> None:
    up = account.up(DESKTOP)
    parked = account.park("stars", data="s3")
    assert copies(parked) == [("desktop", "completed", "image")]
    assert (parked.instances, parked.volumes) == ((), ())
    assert account.ec2.counted["CreateSnapshot"] == 0
    place = f"s3://my-bucket/parked/stars/data/{up.volumes[0].id}/"
    (stored,) = account.roost().observe("stars").s3_copies  # another process knows it too
    assert (stored.name, stored.source, stored.place) == ("data", up.volumes[0].id, place)
    assert (stored.sealed, stored.size_gib, stored.used_gib) == (True, 500, 1.5)
    assert (stored.tree, stored.sha256) == (
        f"{place}.roost/tree-20260101T000000.000000Z.jsonl",
        "ab" * 32,
    )
    noted = [n for n, (_, asked) in enumerate(account.ec2.asked) if stored_in(asked)]
    assert noted[0] > account.ec2.calls.index("StopInstances")

    # At once: a token of the first volume would bring that one back, which is gone.
    resumed = account.up(DESKTOP)
    assert resumed.volumes[0].id != up.volumes[0].id
    assert (resumed.s3_copies[0].source, resumed.s3_copies[0].sealed) == (
        resumed.volumes[0].id,
        False,
    )
    again = account.park("stars", data="s3")
    assert (again.s3_copies[0].place, again.s3_copies[0].sealed) == (place, True)
    assert account.ec2.lost == []
    assert account.ec2.closed == set()
    state = account.down("stars", frozenset({"stars"}))
    assert state.empty
    assert account.left() == {}
    assert account.ec2.bucket  # the user's


def test_what_is_in_s3_is_listed(account: Account) -> None:
    account.up(DESKTOP)
    (stored,) = account.park("stars", data="s3").s3_copies
    found = sweep({"ec2": account.client}.__getitem__, "eu-central-1")
    assert found.notes == (f"data of stars data: {stored.place}, 1.5 GiB",)
    cloud = account.roost()
    assert [row.unfilled for row in cloud.summaries()] == [()]
    reconcile(cloud, "stars", lambda have, _: plan_up(DESKTOP, have))
    assert [row.unfilled for row in cloud.summaries()] == [("data",)]
    account.up(DESKTOP)
    assert [row.unfilled for row in cloud.summaries()] == [()]


def test_a_snapshot_after_a_copy_in_s3_is_the_newer_one(account: Account) -> None:
    account.up(DESKTOP)
    account.park("stars", data="s3")
    account.up(DESKTOP)
    parked = account.park("stars", data="snapshot")
    assert copies(parked)[0] == ("data", "completed", "standard")
    resumed = account.up(DESKTOP)
    assert resumed.volumes[0].snapshot == parked.snapshots[0].name
    assert account.ec2.lost == []


def test_many_copies_need_room_to_be_remembered(account: Account) -> None:
    account.up(DESKTOP)
    account.roost().check_room("stars", tuple(f"seat-{n}-data" for n in range(32)))
    with pytest.raises(RoostError, match="33 volumes of stars"):
        account.roost().check_room("stars", tuple(f"seat-{n}-data" for n in range(33)))
