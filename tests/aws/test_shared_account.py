"""A shared account: what others made, tagged or called alike is named, and never changed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.aws.conftest import Account
from tests.aws.moto_account import IMAGE
from tests.aws.test_cli import ok, roost
from tests.cli.calling import Roost

__all__ = ["roost"]

FILE = """\
name = "stars"
kind = "desktop"
cloud = "aws"
[aws]
region = "eu-central-1"
[machine]
cpus = 2
[[volumes]]
name = "data"
size = "10GB"
mount = "/data"
"""


@pytest.fixture
def file(tmp_path: Any) -> Any:
    (tmp_path / "stars.toml").write_text(FILE)
    return tmp_path / "stars.toml"


def tagged(kind: str, **more: str) -> list[dict[str, Any]]:
    """Tags of the name as anybody can write them; ``node="x"`` is ``roost:node``."""
    held = {"roost": "stars", **{f"roost:{key}": value for key, value in more.items()}}
    return [{"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in held.items()]}]


def launch(account: Account, **more: str) -> str:
    asked = {"ImageId": IMAGE, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.small"}
    made = account.client.run_instances(**asked, TagSpecifications=tagged("instance", **more))
    account.settle()
    return str(made["Instances"][0]["InstanceId"])


def instances(account: Account) -> dict[str, str]:
    found = account.client.describe_instances()["Reservations"]
    return {i["InstanceId"]: i["State"]["Name"] for r in found for i in r["Instances"]}


REACHING = (
    ("start", "stars"),
    ("restart", "stars"),
    ("resize", "stars", "--type", "m5.large", "--yes"),
    ("extend", "stars", "2h"),
    ("park", "stars", "--yes"),
    ("image", "bake", "stars", "--yes"),
    ("open", "stars"),
    ("ssh-config", "stars"),
    ("cp", "stars:/data", "."),
    ("sync", "stars:/data", "s3://bucket/data"),
    ("ssh", "stars"),
)


@pytest.mark.parametrize(
    "reaching", [REACHING[::5], pytest.param(REACHING, marks=pytest.mark.slow)], ids=["few", "all"]
)
def test_two_main_machines_are_named_and_none_of_them_is_touched(
    reaching: tuple[tuple[str, ...], ...], roost: Roost, account: Account, file: Any
) -> None:
    ok(roost("up", file, "--yes"))
    (own,) = instances(account)
    other = launch(account, node="desktop", role="desktop")
    for words in (("up", file, "--yes"), *reaching):
        told = roost(*words)
        assert told.code == 1, (words, told.err)
        assert "stars has 2 machines called desktop" in told.err, (words, told.err)
        assert own in told.err and other in told.err, words  # noqa: PT018
    assert set(instances(account).values()) == {"running"}
    assert ok(roost("show", "stars", "--json"))["instances"]

    ok(roost("stop", "stars"))
    assert set(instances(account).values()) == {"stopped"}
    told = roost("down", "stars", "--no-input")
    assert told.code == 4
    assert f"{other} (t3.small, stopped); all of them would be deleted" in told.err
    ok(roost("down", "stars", "--yes", "--delete-data", "stars"))
    assert set(instances(account).values()) == {"terminated"}


@pytest.mark.parametrize(
    "using", [REACHING[-1:], pytest.param(REACHING, marks=pytest.mark.slow)], ids=["few", "all"]
)
def test_a_machine_in_the_place_of_a_known_one_is_asked_for(
    using: tuple[tuple[str, ...], ...],
    roost: Roost,
    account: Account,
    file: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No tag proves who made it; a computer that has not used the name takes what is there."""
    ok(roost("up", file, "--yes"))
    (own,) = instances(account)
    account.client.terminate_instances(InstanceIds=[own])
    account.settle()
    other = launch(account, node="desktop", role="desktop")
    handed = list[str]()
    monkeypatch.setattr(
        "roost.provision.deliver.hand_over", lambda *words: handed.append("all") or {}
    )
    for words in (("up", file), *using):
        told = roost(*(word for word in words if word != "--yes"))
        assert told.code == 4, (words, told)
        assert f"desktop was {own}, and is {other}" in told.err, (words, told.err)
    assert (handed, instances(account)[other]) == ([], "running")
    ok(roost("stop", "stars"))  # nobody was asked: it is as unknown as before
    told = roost("start", "stars")
    assert (told.code, f"desktop was {own}, and is {other}" in told.err) == (4, True), told
    roost("start", "stars", "--yes")
    assert "another machine" not in roost("ssh-config", "stars").err
    assert instances(account)[other] == "running"
    ok(roost("stop", "stars"))
    ok(roost("down", "stars", "--yes", "--delete-data", "stars"))


def test_two_security_groups_of_one_name_are_named(
    roost: Roost, account: Account, file: Any
) -> None:
    ok(roost("up", file, "--yes"))
    vpc = account.client.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    other = account.client.create_security_group(
        GroupName="roost-stars",
        Description="-",
        VpcId=vpc,
        TagSpecifications=tagged("security-group", node="stars"),
    )["GroupId"]
    account.settle()
    told = roost("up", file, "--yes")
    assert told.code == 1
    assert "stars has 2 security groups called stars" in told.err
    assert other in told.err


def test_tags_that_are_not_roosts_are_named_and_what_has_them_stays(
    roost: Roost, account: Account, file: Any
) -> None:
    ok(roost("up", file, "--yes"))
    ec2 = account.client
    zone = {"AvailabilityZone": "eu-central-1a", "Size": 1}
    strange = {
        ec2.create_volume(**zone, TagSpecifications=tagged("volume", **more))["VolumeId"]
        for more in (
            {"holder": "desktop"},
            {},
            {"node": "data", "holder": "desktop", "slot": "9" * 200},
            {"node": "../../etc", "holder": "desktop", "slot": "0"},
            {"node": "data", "holder": "-oProxyCommand=x", "slot": "0"},
        )
    }
    volume = ec2.create_volume(**zone)["VolumeId"]
    account.ec2.act("attach", lambda: None)
    strange |= {
        ec2.create_snapshot(VolumeId=volume, TagSpecifications=tagged("snapshot", **more))[
            "SnapshotId"
        ]
        for more in ({"sealed": "yes"}, {"node": "data"})
    }
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip"))
    key = ec2.create_key_pair(KeyName="alice", TagSpecifications=tagged("key-pair", node="stars"))
    machine = launch(account, node="desktop", role="emperor")
    strange |= {address["AllocationId"], machine}
    account.settle()
    shown = roost("show", "stars")
    for one in (*strange, key["KeyPairId"]):
        assert f" {one} (" in shown.err, shown.err
    for words in (
        ("up", file, "--yes"),
        ("stop", "stars"),
        ("start", "stars"),
        ("ls",),
    ):
        told = roost(*words)
        assert told.code == 0, (words, told.err)
    told = roost("down", "stars", "--yes", "--delete-data", "stars")
    assert told.code == 1  # what still has the tag may cost something
    assert f"not roost's: instance {machine}" in told.err
    assert strange < set(str(account.left()).replace("'", " ").replace(",", " ").split())


@pytest.mark.parametrize("kind", ["security-group", "key-pair", "launch-template"])
def test_a_name_that_somebody_else_has_taken_is_said(
    kind: str, roost: Roost, account: Account, file: Any
) -> None:
    ec2, name = account.client, "roost-stars"
    match kind:
        case "security-group":
            vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
            ec2.create_security_group(GroupName=name, Description="theirs", VpcId=vpc)
        case "key-pair":
            ec2.create_key_pair(KeyName=name)
        case _:
            ec2.create_launch_template(
                LaunchTemplateName=name, LaunchTemplateData={"InstanceType": "m5.large"}
            )
    account.settle()
    told = roost("up", file, "--yes")
    assert told.code == 1
    assert f"there is a {kind} called roost-stars already" in told.err
    assert f"aws ec2 delete-{kind} --" in told.err
    assert account.left().get("instances") is None
    groups = (
        ec2.describe_security_groups(GroupNames=[name])["SecurityGroups"] if kind[0] == "s" else []
    )
    assert [g["IpPermissions"] for g in groups] in ([], [[]])
    versions = "describe_launch_template_versions"
    if kind == "launch-template":
        assert len(getattr(ec2, versions)(LaunchTemplateName=name)["LaunchTemplateVersions"]) == 1
    assert roost("down", "stars", "--yes").code == (2 if kind == "launch-template" else 0)
    assert "roost-stars" in str(account.left())
