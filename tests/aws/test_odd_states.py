"""Volumes, copies and machines in states that nobody asked for: each is named, none is replaced."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from roost.providers.aws.listing import summarized
from tests.aws.conftest import Account
from tests.aws.test_cli import ok
from tests.aws.test_cli import roost as on_aws
from tests.aws.test_lost_copies import STARS, refused
from tests.cli.calling import Roost

roost = on_aws


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "stars.toml"
    path.write_text(STARS)
    return path


@pytest.fixture
def up(roost: Roost, file: Path, account: Account) -> Account:
    """A desktop with two volumes, up."""
    ok(roost("up", file, "--yes"))
    account.settle()
    return account


def volume_of(account: Account, name: str) -> str:
    return next(v.id for v in account.roost().observe("stars").volumes if v.name == name)


def test_a_list_hides_no_machine() -> None:
    """One that is in a state nobody knows costs money, too."""

    def machine(state: str) -> dict[str, object]:
        tags = {"roost": "stars", "roost:role": "desktop", "roost:node": "desktop"}
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        return {"State": {"Name": state}, "Tags": listed, "AmiLaunchIndex": 0}

    machines = [machine("hibernating"), machine("terminated"), machine("running")]
    (row,) = summarized([{"Instances": machines}], [], "eu-central-1", {})
    assert row.states == {"unknown": 1, "running": 1}


def fail(account: Account, volume: str) -> None:
    """The volume's hardware fails."""
    (instance,) = (i.id for i in account.roost().observe("stars").instances)
    account.client.detach_volume(VolumeId=volume, InstanceId=instance)
    account.ec2.states[volume] = "error"


@pytest.mark.slow
def test_a_volume_in_error_is_named_and_not_replaced(roost: Roost, up: Account, file: Path) -> None:
    broken = volume_of(up, "scratch")
    ok(roost("stop", "stars"))
    fail(up, broken)
    made = up.ec2.counted["CreateVolume"]
    for words in (("up", file, "--yes"), ("start", "stars"), ("park", "stars", "--yes")):
        told = roost(*words)
        refused(
            told,
            f'volume scratch ({broken}) is in the state "error": the cloud has lost it',
            "`roost park stars --mode scratch=discard --discard scratch` gives it up",
        )
    assert up.ec2.counted["CreateVolume"] == made
    assert "scratch" in roost("show", "stars").out
    ok(roost("stop", "stars"))
    # What it says works: the broken one goes, all else is parked, and another is made.
    ok(roost("park", "stars", "--mode", "scratch=discard", "--discard", "scratch", "--yes"))
    up.ec2.buried.pop("scratch")
    assert up.ec2.lost == ["scratch was deleted and is nowhere else"]  # as was typed
    ok(roost("resume", "stars", "--yes"))
    assert volume_of(up, "scratch") != broken
    assert up.ec2.lost == ["scratch was deleted and is nowhere else"]


def test_a_stopped_machine_says_who_stopped_it_and_when(roost: Roost, up: Account) -> None:
    (machine,) = up.roost().observe("stars").instances
    up.client.stop_instances(InstanceIds=[machine.id])
    up.settle()
    told = roost("show", "stars")
    assert re.search(r"it was told to stop \(20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC\)", told.out)


def test_down_with_a_volume_in_error(roost: Roost, up: Account) -> None:
    broken = volume_of(up, "data")
    ok(roost("stop", "stars"))
    fail(up, broken)
    up.ec2.discarded = {"data", "scratch"}
    told = roost("down", "stars", "--yes")
    assert told.code == 0, told.err
    assert f'note: volume data ({broken}) is in the state "error"' in told.err
    ok(roost("down", "stars", "--yes", "--delete-data", "stars"))
    assert up.left() == {}


@pytest.mark.parametrize(
    ("what", "state", "text"),
    [
        ("{volume}", "melting", 'volume data ({volume}) is in the state "melting"'),
        ("attachment {volume}", "busy", "volume data ({volume}) is being detached from desktop"),
        ("attachment {volume}", "odd", 'volume data ({volume}) is in the state "odd"'),
        ("{instance}", "hibernating", 'desktop is in the state "hibernating"'),
    ],
)
def test_a_state_that_nobody_knows_stops(
    what: str, state: str, text: str, roost: Roost, up: Account, file: Path
) -> None:
    seen = up.roost().observe("stars")
    ids = {"volume": volume_of(up, "data"), "instance": seen.instances[0].id}
    up.ec2.states[what.format(**ids)] = state
    changes = len([m for m in up.ec2.moments if m.changes])
    refused(roost("up", file, "--yes"), text.format(**ids))
    if state != "busy":  # the stop of the machine ends that
        refused(roost("park", "stars", "--yes"), text.format(**ids))
        assert len([m for m in up.ec2.moments if m.changes]) == changes
    ok(roost("show", "stars"))
    ok(roost("stop", "stars"))
    told = roost("down", "stars", "--yes")
    assert told.code in (0, 1), told.err
    del up.ec2.states[what.format(**ids)]
    up.ec2.discarded = {"data", "scratch"}
    ok(roost("down", "stars", "--yes", "--delete-data", "stars"))
    assert up.left() == {}


def test_copies_in_odd_states(roost: Roost, up: Account) -> None:
    ok(roost("park", "stars", "--yes"))
    up.settle()
    state = up.roost().observe("stars")
    snapshot = next(s.name for s in state.snapshots if s.volume == "data")
    (image,) = (i.name for i in state.images)
    for one, odd, text in (
        (snapshot, "recoverable", f"restore-snapshot-from-recycle-bin --snapshot-id {snapshot}"),
        (snapshot, "error", 'is in the state "error"'),
        (snapshot, "thawing", f'snapshot {snapshot} is in the state "thawing"'),
        (image, "failed", 'is in the state "failed"'),
        (image, "invalid", 'is in the state "invalid"'),
        (image, "resting", f'image {image} is in the state "resting"'),
    ):
        up.ec2.states[one] = odd
        refused(roost("resume", "stars", "--yes"), text)
        del up.ec2.states[one]
    assert up.left().keys() & {"instances", "volumes"} == set()
    ok(roost("resume", "stars", "--yes"))
    assert up.ec2.lost == []


def test_a_volume_that_cannot_be_changed_yet(roost: Roost, up: Account, file: Path) -> None:
    """What is reported is what is there, and when it can be changed."""
    file.write_text(STARS.replace('"500GB"', '"600GB"'))
    ok(roost("up", file, "--yes"))
    up.settle()
    file.write_text(STARS.replace('"500GB"', '"800GB"'))
    told = roost("up", file, "--yes")
    assert told.code == 3
    assert "stars is up: 1 desktop" in told.err  # all else was done
    assert "volume data is still 600 GiB: it was changed (to 600 GiB, since 2027-01-15" in told.err
    assert "not before 2027-01-15 1" in told.err
    assert up.roost().observe("stars").volumes[0].size_gib == 600
    up.sleep(6 * 3600)
    ok(roost("up", file, "--yes"))
    assert up.roost().observe("stars").volumes[0].size_gib == 800


def test_a_change_that_a_killed_roost_began_counts(roost: Roost, up: Account, file: Path) -> None:
    up.client.modify_volume(VolumeId=volume_of(up, "data"), Size=800, VolumeType="gp3")
    up.ec2.backend.volumes[volume_of(up, "data")].size = 500  # as EC2 shows it for a while
    file.write_text(STARS.replace('"500GB"', '"800GB"'))
    ok(roost("up", file, "--yes"))


def test_a_backup_by_somebody_else_with_copied_tags_is_not_roosts(
    roost: Roost, up: Account, file: Path
) -> None:
    """AWS Backup can copy a volume's tags to its snapshots: they are no copies of roost's."""
    data = volume_of(up, "data")
    (volume,) = up.client.describe_volumes(VolumeIds=[data])["Volumes"]
    copied = [tag for tag in volume["Tags"] if not tag["Key"].startswith("aws:")]
    theirs = up.client.create_snapshot(
        VolumeId=data,
        TagSpecifications=[{"ResourceType": "snapshot", "Tags": copied}],
    )["SnapshotId"]
    up.settle()
    ok(roost("park", "stars", "--yes"))
    ok(roost("resume", "stars", "--yes"))
    (made,) = (v.snapshot for v in up.roost().observe("stars").volumes if v.name == "data")
    assert made != theirs
    up.ec2.discarded = {"data", "scratch"}
    told = roost("down", "stars", "--yes", "--delete-data", "stars")
    assert f"still there with the tag of stars: snapshot {theirs}" in told.err  # said, and kept
    assert theirs in up.left()["snapshots"]
    assert up.ec2.lost == []
