"""`roost audit`: everything that costs, priced by hand; prices of eu-central-1, 2026-10-15.

m7i.xlarge 0.2415 an hour, m5.large 0.115 an hour, an address 0.005 an hour, gp3 0.0952 a GB-month,
snapshots 0.054, archived ones 0.0135 a GB-month; a month has 730 hours.
"""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from roost.catalogue import load
from roost.cli.main import cli
from roost.cost.bill import Addresses, Instances, Snapshots, Volumes
from roost.cost.book import PriceBook
from roost.cost.inventory import Found, Inventory, audit
from roost.cost.rates import Amount
from roost.errors import AccessError, PartlyDoneError, UsageError
from roost.providers.aws import audit as looking
from roost.providers.aws.audit import inventory, sweep, sweep_all, unused
from tests.aws.conftest import REGION, Account

SCHEMA = Path(__file__).parents[2] / "schema" / "output" / "audit.schema.json"
BOOK = PriceBook(load(), date(2026, 11, 21))


def tagged(name: str = "pix", **more: str) -> list[dict[str, str]]:
    found = {"roost": name, **{key.replace("_", ":"): value for key, value in more.items()}}
    return [{"Key": key, "Value": value} for key, value in found.items()]


TEMPLATE = {"LaunchTemplateId": "lt-1", "Tags": tagged()}


def machine(number: int, state: str = "running", **more: Any) -> dict[str, Any]:
    return {
        "InstanceId": f"i-{number}",
        "InstanceType": "m7i.xlarge",
        "State": {"Name": state},
        "Tags": tagged(),
        **more,
    }


def volume(number: int, **more: Any) -> dict[str, Any]:
    return {
        "VolumeId": f"vol-{number}",
        "VolumeType": "gp3",
        "Size": 100,
        "State": "in-use",
        "Attachments": [{"InstanceId": "i-1"}],
        "Tags": tagged(),
        **more,
    }


def only(kind: str, *described: Any, templates: tuple[Any, ...] = (TEMPLATE,)) -> list[Found]:
    found = inventory({kind: list(described), "launch-template": list(templates)}, (), REGION)
    return [one for one in found if one.kind != "launch-template"]


def usd(*found: Found) -> str:
    return str(audit([Inventory(REGION, found)], BOOK).per_month.usd.normalize())


class TestMachines:
    def test_one_that_runs_pays_for_its_address_too(self) -> None:
        (found,) = only("instance", {"Instances": [machine(1, PublicIpAddress="203.0.113.9")]})
        assert (found.what, found.end, found.orphan) == (
            "m7i.xlarge running",
            "roost down pix --region eu-central-1",
            False,
        )
        # 730 x (0.2415 + 0.005)
        assert usd(found) == "179.945"

    def test_an_elastic_ip_is_counted_once(self) -> None:
        address = {
            "AllocationId": "eip-1",
            "AssociationId": "a-1",
            "InstanceId": "i-1",
            "PublicIp": "203.0.113.9",
            "Tags": tagged(),
        }
        running = {"Instances": [machine(1, PublicIpAddress="203.0.113.9")]}
        found = inventory({"instance": [running], "elastic-ip": [address]}, (), REGION)
        assert [one.what for one in found] == [
            "m7i.xlarge running",
            "Elastic IP 203.0.113.9 in use",
        ]
        # 730 x 0.2415 and 730 x 0.005
        assert [usd(one) for one in found] == ["176.295", "3.65"]

    def test_a_stopped_one_costs_nothing_by_itself(self) -> None:
        found = only("instance", {"Instances": [machine(1, "stopped"), machine(2, "terminated")]})
        assert [one.ids for one in found] == [("i-1",)]
        assert usd(*found) == "0"

    def test_a_thousand_alike_are_one_row(self) -> None:
        many = [machine(n, InstanceType="m5.large", InstanceLifecycle="spot") for n in range(1000)]
        found = audit([Inventory(REGION, tuple(only("instance", {"Instances": many})))], BOOK)
        (row,) = found.rows
        assert row.found.what == "m5.large running (spot)"
        assert (len(row.found.ids), row.found.ids[0]) == (1000, "i-0")
        # 1000 x 730 x 0.115, at most
        assert found.per_month == Amount(Decimal(83950), at_most=True)


class TestDisks:
    def test_volumes(self) -> None:
        data = tagged(roost_node="data", roost_holder="desktop")
        found = only(
            "volume",
            volume(1),
            volume(2, Tags=data, Attachments=[], State="available"),
            volume(3, VolumeType="gp3", Iops=4000, Throughput=125),
            volume(4, State="deleting"),
        )
        assert [one.what for one in found] == [
            "gp3 volume of 100 GB, attached",
            'gp3 volume "data" of 100 GB, attached to nothing',
            "gp3 volume of 100 GB, attached",
        ]
        # 100 x 0.0952, the same, and with 1000 IOPS x 0.006
        assert [usd(one) for one in found] == ["9.52", "9.52", "15.52"]

    def test_snapshots_in_both_tiers(self) -> None:
        snapshot = {"SnapshotId": "snap-1", "VolumeSize": 100, "Tags": tagged(roost_node="data")}
        full = 40 * 2**30
        found = only(
            "snapshot",
            snapshot,
            {**snapshot, "FullSnapshotSizeInBytes": full},
            {**snapshot, "FullSnapshotSizeInBytes": full, "StorageTier": "archive"},
        )
        assert [one.what for one in found] == [
            'snapshot of "data", at most 100 GB',
            'snapshot of "data", at most 40 GB',
            'archived snapshot of "data", at most 40 GB',
        ]
        amounts = [audit([Inventory(REGION, (one,))], BOOK).per_month for one in found]
        assert amounts == [
            Amount(Decimal("5.4"), at_most=True),  # 100 x 0.054
            Amount(Decimal("2.16"), at_most=True),  # 40 x 0.054
            Amount(Decimal("0.54")),  # 40 x 0.0135
        ]

    def test_an_image_costs_its_snapshots_once(self) -> None:
        image = {
            "ImageId": "ami-1",
            "Name": "roost pix desktop",
            "Tags": tagged(),
            "BlockDeviceMappings": [
                {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": "snap-1", "VolumeSize": 30}},
                {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
            ],
        }
        (found,) = only("image", image)
        assert found.items == (Snapshots(30, REGION),)
        assert usd(found) == "1.62"  # 30 x 0.054
        snapshot = {"SnapshotId": "snap-1", "VolumeSize": 30, "Tags": tagged()}
        both = inventory({"image": [image], "snapshot": [snapshot]}, (), REGION)
        assert [one.items for one in both] == [(Snapshots(30, REGION),), ()]


class TestWhoKnowsOfIt:
    def test_without_a_record_it_is_an_orphan_and_comes_first(self) -> None:
        found = inventory(
            {
                "launch-template": [TEMPLATE],
                "volume": [volume(1), volume(2, Tags=tagged("old"), Size=1)],
            },
            (),
            REGION,
        )
        rows = audit([Inventory(REGION, found)], BOOK).rows
        assert [(row.found.name, row.found.orphan) for row in rows] == [
            ("old", True),
            ("pix", False),
        ]

    def test_a_name_that_only_a_shell_would_understand_is_quoted(self) -> None:
        (found,) = only("volume", volume(1, Tags=tagged("a; rm -rf /")))
        assert found.end == "roost down 'a; rm -rf /' --region eu-central-1"

    def test_what_costs_nothing_is_there_too(self) -> None:
        found = inventory(
            {
                "launch-template": [TEMPLATE],
                "security-group": [{"GroupId": "sg-1", "Tags": tagged()}],
                "key-pair": [{"KeyPairId": "key-1", "Tags": tagged()}],
                "network-interface": [{"NetworkInterfaceId": "eni-1", "Tags": tagged()}],
                "placement-group": [{"GroupId": "pg-1", "Tags": tagged()}],
            },
            (),
            REGION,
        )
        assert [one.ids[0] for one in found] == ["lt-1", "eni-1", "pg-1", "sg-1", "key-1"]
        whole = audit([Inventory(REGION, found)], BOOK)
        assert (whole.rows, whole.free, whole.per_month) == ((), 5, Amount(Decimal(0)))

    def test_a_kind_that_roost_has_never_heard_of_has_no_price(self) -> None:
        tag = {"ResourceType": "natgateway", "ResourceId": "nat-1", "Key": "roost", "Value": "pix"}
        passing = {**tag, "ResourceType": "fleet", "ResourceId": "fleet-1"}
        found = inventory({}, [tag, passing], REGION)
        whole = audit([Inventory(REGION, found)], BOOK)
        assert [one.ids for one in found] == [("nat-1",)]
        assert str(whole.per_month) == "unknown"


def test_what_is_unused_and_not_roosts_is_a_hint() -> None:
    free = {"Attachments": [], "State": "available"}
    address = {"AllocationId": "eip-1", "PublicIp": "203.0.113.9"}
    hints = unused(
        [volume(1, Tags=[], **free), volume(2, **free)],
        [address, {**address, "AssociationId": "a-1"}, {**address, "Tags": tagged()}],
        REGION,
    )
    assert [(one.ids, one.end) for one in hints] == [
        (("vol-1",), "aws ec2 delete-volume --volume-id vol-1 --region eu-central-1"),
        (("eip-1",), "aws ec2 release-address --allocation-id eip-1 --region eu-central-1"),
    ]
    whole = audit([Inventory(REGION, (), hints)], BOOK)
    # 100 x 0.0952 and 730 x 0.005; not a part of the sum
    assert [row.per_month.amount.usd for row in whole.hints] == [Decimal("9.52"), Decimal("3.65")]
    assert whole.per_month == Amount(Decimal(0))


# --- in an account -------------------------------------------------------------------------------


@pytest.fixture
def full(account: Account) -> Account:
    """A desktop without a record, a volume of the user's own, and an idle address."""
    ec2 = account.client

    def mark(kind: str) -> dict[str, Any]:
        return {"ResourceType": kind, "Tags": tagged("old")}

    ec2.run_instances(
        ImageId="ami-12c6146b",
        InstanceType="m7i.xlarge",
        MinCount=1,
        MaxCount=1,
        BlockDeviceMappings=[
            {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 30, "VolumeType": "gp3"}}
        ],
        TagSpecifications=[mark("instance"), mark("volume")],
    )
    ec2.create_security_group(
        GroupName="roost-old", Description="x", TagSpecifications=[mark("security-group")]
    )
    ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=50, VolumeType="gp3")
    ec2.allocate_address(Domain="vpc")
    account.settle()
    account.ec2.calls.clear()
    return account


def clients(account: Account) -> looking.Clients:
    return lambda service: {"ec2": account.client}[service]


def test_a_sweep_asks_only_of_what_is_there(full: Account) -> None:
    found = sweep(clients(full), REGION)
    assert full.ec2.calls == [
        "DescribeTags",
        "DescribeInstances",
        "DescribeVolumes",
        "DescribeSecurityGroups",
        "DescribeVolumes",
        "DescribeAddresses",
    ]
    assert [(one.kind, one.orphan) for one in found.found] == [
        ("instance", True),
        ("volume", True),
        ("security-group", True),
    ]
    assert found.found[1].items == (Volumes(30, REGION, "gp3", 1, 3000),)
    assert [one.items for one in found.hints] == [
        (Volumes(50, REGION, "gp3", 1, 3000),),
        (Addresses(REGION, elastic=True),),
    ]


def test_a_sweep_for_one_name(full: Account) -> None:
    assert sweep(clients(full), REGION, "pix") == Inventory(REGION)
    assert full.ec2.calls == ["DescribeTags"]
    found = sweep(clients(full), REGION, "old")
    assert [one.kind for one in found.found] == ["instance", "volume", "security-group"]
    assert found.hints == ()


def test_it_asks_no_more_of_a_hundred(full: Account) -> None:
    full.client.run_instances(
        ImageId="ami-12c6146b",
        InstanceType="m5.large",
        MinCount=100,
        MaxCount=100,
        TagSpecifications=[{"ResourceType": "instance", "Tags": tagged("old")}],
    )
    full.settle()
    full.ec2.calls.clear()
    found = sweep(clients(full), REGION)
    assert len([one for one in found.found if one.kind == "instance"]) == 101
    assert len(full.ec2.calls) == 6


def refusing(operation: str) -> looking.Clients:
    """An account that says no to everything."""

    class Refuses:
        def can_paginate(self, call: str) -> bool:
            del call
            return False

        def __getattr__(self, call: str) -> Any:
            def refuse(**asked: Any) -> Any:
                del asked
                said = {"Error": {"Code": "UnauthorizedOperation", "Message": "no"}}
                raise ClientError(said, operation)

            return refuse

    return lambda service: {"ec2": Refuses()}[service]


def test_a_region_that_refuses_is_unknown_and_not_left_out(full: Account) -> None:
    with pytest.raises(AccessError):
        sweep(refusing("DescribeTags"), "eu-west-1")
    of = {REGION: clients(full), "eu-west-1": refusing("DescribeTags")}
    here, refused = sweep_all(of.__getitem__, [REGION, "eu-west-1"])
    assert len(here.found) == 3
    assert refused.region == "eu-west-1"
    assert refused.unknown.startswith("look for what costs in eu-west-1: UnauthorizedOperation")
    whole = audit([here, refused], BOOK)
    # 730 x (0.2415 + 0.005) + 30 x 0.0952, and whatever is in eu-west-1
    assert whole.per_month == Amount(Decimal("182.801"), at_least=True)


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def roost_audit(full: Account, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("ROOST_HOME", str(full.locks))
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)

    def call(*words: str) -> Result:
        return CliRunner().invoke(cli, ["audit", *words])

    return call


def test_as_text(roost_audit: Any) -> None:
    told = roost_audit()
    lines = told.stdout.splitlines()
    assert lines[:3] == [
        "NAME             REGION        WHAT                           A MONTH",
        "old (no record)  eu-central-1  m7i.xlarge running             $179.94",
        "old (no record)  eu-central-1  gp3 volume of 30 GB, attached    $2.86",
    ]
    # 176.295 + 3.65 for its address, and 30 x 0.0952 = 2.856
    assert "a month: $182.80" in lines
    assert "  roost down old --region eu-central-1" in lines
    assert "and 1 of roost's things that cost nothing by themselves" in lines
    assert "Not roost's, and used by nothing; look what it is before you delete it:" in lines
    assert any("aws ec2 release-address --allocation-id eipalloc-" in line for line in lines)
    assert (told.stderr, told.exit_code) == ("looking in eu-central-1\n", 0)


def test_as_json(roost_audit: Any) -> None:
    found = json.loads(roost_audit("--json").stdout)
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(found)
    assert [(row["kind"], row["orphan"]) for row in found["found"]] == [
        ("instance", True),
        ("volume", True),
    ]
    assert found["found"][1]["per_month"]["usd"] == 2.856
    assert found["regions"] == [{"region": REGION, "known": True, "reason": None}]
    assert (found["free"], found["per_month"]["usd"]) == (1, 182.801)
    assert [row["per_month"]["usd"] for row in found["hints"]] == [4.76, 3.65]


def test_all_regions(roost_audit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of them: each is a whole account to moto."""
    three = ("ap-southeast-2", REGION, "sa-east-1")
    monkeypatch.setattr(looking, "regions", lambda _: three)
    boto3.client("ec2", region_name="ap-southeast-2").create_volume(
        AvailabilityZone="ap-southeast-2a",
        Size=10,
        VolumeType="gp3",
        TagSpecifications=[{"ResourceType": "volume", "Tags": tagged("far")}],
    )
    found = json.loads(roost_audit("--all-regions", "--json").stdout)
    assert {(row["name"], row["region"]) for row in found["found"]} == {
        ("old", REGION),
        ("far", "ap-southeast-2"),
    }
    assert [one["region"] for one in found["regions"]] == list(three)


def test_which_regions_there_are(account: Account) -> None:
    found = looking.regions(clients(account))
    assert account.ec2.calls == ["DescribeRegions"]
    assert {"af-south-1", REGION, "us-west-2"} < set(found)
    assert list(found) == sorted(found)


def test_a_region_that_refuses_makes_it_exit_with_3(
    roost_audit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = looking.sweep

    def refuses(found: Any, region: str) -> Inventory:
        if region == "eu-west-1":
            return real(refusing("DescribeTags"), region)
        return real(found, region)

    monkeypatch.setattr(looking, "sweep", refuses)
    monkeypatch.setattr("roost.providers.aws.session.regions", lambda _: (REGION, "eu-west-1"))
    told = roost_audit()
    assert isinstance(told.exception, PartlyDoneError)
    assert "cannot list eu-west-1: look for" in told.exception.what
    assert "a month: at least $182.80" in told.stdout


def test_nothing_there(roost_audit: Any) -> None:
    told = roost_audit("--region", "eu-west-3")
    assert told.stdout.splitlines()[0] == "nothing of roost's costs anything in eu-west-3"


def test_all_or_one(roost_audit: Any) -> None:
    assert isinstance(roost_audit("--all-regions", "--region", "x").exception, UsageError)


def test_instances_are_priced_as_what_they_are() -> None:
    (found,) = only("instance", {"Instances": [machine(1)]})
    assert found.items == (Instances("m7i.xlarge", REGION, 1, False),)


def test_your_own_machine_cannot_be_audited(roost_audit: Any) -> None:
    told = roost_audit("--cloud", "local")
    assert isinstance(told.exception, UsageError)
    assert told.exception.what == "nothing on your own machine costs money"
    assert told.stdout == ""


def test_only_the_named_cloud_is_looked_through(roost_audit: Any) -> None:
    assert roost_audit("--cloud", "aws").stdout == roost_audit().stdout
