"""Keys of a machine, from the file to EC2's call: the disk that it boots from, its stages."""

from __future__ import annotations

import copy
from datetime import datetime
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.aws.conftest import Account
from tests.aws.strict_launch import check_boot_disk
from tests.aws.test_cli import ok
from tests.aws.test_cli import roost as on_aws
from tests.cli.calling import Roost

roost = on_aws
STARS = """
name = "stars"
kind = "desktop"
[aws]
region = "eu-central-1"
[machine]
type = "m5.xlarge"
disk = "100GB"
disk_type = "io2"
disk_iops = 4000
[[stages]]
name = "alignment"
needs = { type = "g5.xlarge" }
hours = 10
[[stages]]
name = "picking"
needs = { cpus = 4, memory = "8GB" }
hours = 20
"""


@pytest.fixture
def stars(tmp_path: Path) -> Path:
    file = tmp_path / "stars.toml"
    file.write_text(STARS)
    return file


def test_the_boot_disk_is_asked_for_and_in_the_price(
    roost: Roost, account: Account, stars: Path
) -> None:
    """io2 in Frankfurt: 0.149 a GB-month and 0.078 an IOPS-month; m5.xlarge 0.23, IPv4 0.005."""
    plan = ok(roost("plan", stars, "--json"))
    disk = (100 * 0.149 + 4000 * 0.078) / 730
    assert plan["cost"]["running_hour"]["usd"] == pytest.approx(0.23 + 0.005 + disk)
    assert "100GB io2 disk with 4000 IOPS" in roost("plan", stars).out
    ok(roost("up", stars, "--yes"))
    (launch,) = (asked for name, asked in account.ec2.asked if name == "RunInstances")
    assert launch["BlockDeviceMappings"][0]["Ebs"] == {
        "VolumeSize": 100,
        "VolumeType": "io2",
        "Encrypted": True,
        "DeleteOnTermination": True,
        "Iops": 4000,
    }
    assert "create" not in roost("plan", stars, "--diff").out


def test_ec2_refuses_a_boot_disk_that_it_does_not_have() -> None:
    """The double is as strict as EC2: what the file's checks keep out would fail there."""
    for disk, why in (
        ({"VolumeType": "st1"}, "cannot be used as a boot volume"),
        ({"VolumeType": "io1"}, "iops must be specified"),
        ({"VolumeType": "io1", "Iops": 5000}, "maximum is 50"),
        ({"VolumeType": "gp2", "Iops": 300}, "iops is not supported"),
        ({"VolumeType": "io2", "Iops": 300, "Throughput": 125}, "throughput is not supported"),
    ):
        with pytest.raises(ClientError, match=why):
            check_boot_disk({"VolumeSize": 20, **disk})


def test_a_stage_stops_changes_and_starts_the_machine(
    roost: Roost, account: Account, stars: Path
) -> None:
    before = ok(roost("up", stars, "--yes", "--json"))["instances"][0]
    changed = ok(roost("stage", "stars", "picking", "--yes", "--json"))["instances"][0]
    assert (changed["type"], changed["id"]) == ("c5a.xlarge", before["id"])
    counted = account.ec2.counted
    assert (counted["StopInstances"], counted["ModifyInstanceAttribute"]) == (1, 1)
    assert (counted["RunInstances"], counted["StartInstances"]) == (1, 1)
    ok(roost("stage", "stars", "picking", "--yes", "--json"))
    assert account.ec2.counted["StopInstances"] == 1


def test_the_newest_image_of_an_owner_by_a_pattern_of_its_name(
    roost: Roost, account: Account, stars: Path
) -> None:
    """Looked for once, among that owner's only; one of another processor or owner never counts."""
    made = account.ec2.backend.amis
    like = made["ami-12c6146b"]

    def image(number: int, name: str, day: str, owner: str = "111122223333", **more: str) -> str:
        new = copy.copy(like)
        new.id, new.name, new.owner_id = f"ami-{number:017x}", name, owner
        new.creation_date = datetime.fromisoformat(day)
        new.architecture = more.get("architecture", "x86_64")
        made[new.id] = new
        return str(new.id)

    image(1, "scipion-3.7", "2026-01-01")
    newest = image(2, "scipion-3.8", "2026-06-01")
    image(3, "scipion-3.9", "2026-07-01", owner="999988887777")
    image(4, "scipion-4.0-arm", "2026-08-01", architecture="arm64")
    image(5, "my-scipion", "2026-09-01")
    stars.write_text(STARS.replace("disk =", 'image = "111122223333/scipion*"\ndisk ='))
    ok(roost("up", stars, "--yes"))
    (launch,) = (asked for name, asked in account.ec2.asked if name == "RunInstances")
    assert launch["ImageId"] == newest
    assert account.ec2.counted["DescribeImages"] == 1
    told = roost("doctor", stars)
    assert f"111122223333/scipion*: {newest}, scipion-3.8" in told.out
    ok(roost("down", "stars", "--yes"))
    stars.write_text(STARS.replace("disk =", 'image = "111122223333/nothing*"\ndisk ='))
    launched = account.ec2.counted["RunInstances"]
    told = roost("up", stars, "--yes")
    assert told.code == 2
    assert "eu-central-1 has no image 111122223333/nothing*" in told.err
    assert account.ec2.counted["RunInstances"] == launched
