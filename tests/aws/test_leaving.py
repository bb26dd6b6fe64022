"""Volumes that their machine has not let go of yet, a while after its end."""

from __future__ import annotations

from pathlib import Path

import boto3

from tests.aws.conftest import Account
from tests.aws.scenes import DESKTOP, names
from tests.aws.test_cli import ok
from tests.aws.test_cli import roost as on_aws
from tests.aws.test_lost_copies import STARS
from tests.cli.calling import Roost

roost = on_aws


def test_a_volume_that_is_still_leaving_is_waited_for(account: Account) -> None:
    state = account.up(DESKTOP)
    account.client.terminate_instances(InstanceIds=[state.instances[0].id])
    account.ec2._moving.pop(state.instances[0].id)  # the machine is gone, and its volume leaves
    again = account.up(DESKTOP)
    assert names(again) == {"desktop": "running"}
    assert [(v.id, v.state) for v in again.volumes] == [(state.volumes[0].id, "attached")]
    account.ec2.discarded = {"data"}
    account.down("stars", frozenset({"data"}))
    assert account.left() == {}


def test_a_volume_that_something_else_holds_is_not_said_to_be_deleted(
    roost: Roost, account: Account, tmp_path: Path
) -> None:
    file = tmp_path / "stars.toml"
    file.write_text(STARS)
    ok(roost("up", file, "--yes"))
    ok(roost("down", "stars", "--yes"))
    account.settle()
    (data,) = (v for v in account.roost().observe("stars").volumes if v.name == "data")
    zone = account.client.describe_volumes(VolumeIds=[data.id])["Volumes"][0]["AvailabilityZone"]
    plain = boto3.client("ec2", region_name=account.ec2.region)  # as somebody else has it
    asked = {"ImageId": "ami-12c6146b", "MinCount": 1, "MaxCount": 1}
    made = plain.run_instances(**asked, Placement={"AvailabilityZone": zone})
    theirs = made["Instances"][0]["InstanceId"]
    plain.attach_volume(VolumeId=data.id, InstanceId=theirs, Device="/dev/sdf")
    told = roost("down", "stars", "--yes", "--delete-data", "stars")
    assert told.code == 1
    assert f"still there with the tag of stars: volume data ({data.id}, attached)" in told.err
