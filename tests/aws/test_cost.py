"""`roost cost` on AWS: the history in tags, and the numbers; prices of eu-central-1, 2026-10-15.

m7i.xlarge 0.2415 an hour, gp3 0.0952 a GB-month of 730 h, an address 0.005 an hour.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from roost.app.cost import so_far
from roost.cli.main import cli
from roost.cli.text.cost import NOT_COUNTED
from roost.cost.ledger import (
    Batch,
    Copy,
    Disk,
    Ending,
    Ledger,
    Machine,
    Seen,
    lasted,
    reconciled,
)
from roost.cost.spent import There
from roost.errors import NotFoundError
from roost.model.resources import State
from roost.providers.aws import ledger as history
from roost.providers.aws.client import Calls
from roost.providers.fake.cloud import FakeCloud
from roost.providers.provider import Capabilities
from tests.aws.conftest import REGION, Account

SCHEMA = Path(__file__).parents[2] / "schema" / "output" / "cost.schema.json"
TEN = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
START = 1_795_168_800
HOUR = 3600
HEAD = Machine("m7i.xlarge")
RECORD = """{"name": "pix", "kind": "desktop", "cloud": "aws", "aws": {"region": "eu-central-1"},
"machine": {"type": "m7i.xlarge"}, "budget": {"usd": 3.0, "at_end": "park"},
"schedule": {"end": "2026-11-20T21:30:00+00:00"}}"""


def instance(number: int, state: str = "running", reason: str = "", **more: Any) -> dict[str, Any]:
    return {
        "InstanceId": f"i-{number}",
        "InstanceType": "m7i.xlarge",
        "LaunchTime": TEN,
        "State": {"Name": state},
        "StateTransitionReason": reason,
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/sda1", "Ebs": {"VolumeId": "vol-r", "DeleteOnTermination": True}},
            {"DeviceName": "/dev/sdf", "Ebs": {"VolumeId": "vol-d", "DeleteOnTermination": False}},
        ],
        **more,
    }


def volume(one: str, state: str = "in-use") -> dict[str, Any]:
    return {
        "VolumeId": one,
        "VolumeType": "gp3",
        "Size": 73,
        "Iops": 3000,
        "Throughput": 125,
        "CreateTime": TEN,
        "State": state,
    }


class TestWhatEc2Describes:
    def test_machines_volumes_and_snapshots(self) -> None:
        spot = instance(2, InstanceLifecycle="spot", InstanceType="m5.large")
        snapshot = {"SnapshotId": "snap-1", "VolumeSize": 73, "StartTime": TEN}
        archived = {**snapshot, "SnapshotId": "snap-2", "StorageTier": "archive"}
        assert history.things(
            {
                "instance": [{"Instances": [instance(1)]}, {"Instances": [spot]}],
                "volume": [volume("vol-r"), volume("vol-x", "deleting")],
                "snapshot": [snapshot, archived],
            }
        ) == {
            "i-1": Seen(HEAD, START),
            "i-2": Seen(Machine("m5.large", spot=True), START),
            "vol-r": Seen(Disk("gp3", 73, 3000, 125), START),
            "snap-1": Seen(Copy(73), START),
            "snap-2": Seen(Copy(73, "archive"), START),
        }

    @pytest.mark.parametrize(
        ("state", "reason", "on", "ended"),
        [
            ("pending", "", True, None),
            ("stopping", "User initiated (2026-11-20 12:00:00 GMT)", False, START + 2 * HOUR),
            ("stopped", "User initiated (2026-11-20 12:00:00 GMT)", False, START + 2 * HOUR),
            ("terminated", "User initiated (2026-11-20 12:30:00 GMT)", False, START + 9000),
            ("terminated", "Server.SpotInstanceTermination: reclaimed", False, None),
            ("stopped", "User initiated", False, None),
            ("stopped", "", False, None),
            # what an instance that runs again did before is of no use
            ("running", "User initiated (2026-11-20 12:00:00 GMT)", True, None),
        ],
    )
    def test_when_it_ended(self, state: str, reason: str, on: bool, ended: int | None) -> None:
        found = history.things({"instance": [{"Instances": [instance(1, state, reason)]}]})
        assert found == {"i-1": Seen(HEAD, START, on=on, ended=ended)}

    def test_the_disk_it_boots_from_goes_with_a_terminated_machine(self) -> None:
        described = {"instance": [{"Instances": [instance(1)]}]}
        assert history.going(described, ["i-1"], terminated=True) == {"i-1", "vol-r"}
        assert history.going(described, ["i-1"], terminated=False) == {"i-1"}


class TestTags:
    def test_old_tags_without_a_use_become_empty(self) -> None:
        before = [
            {"Key": "roost", "Value": "pix"},
            {"Key": "roost:spent:0", "Value": "m/m7i.xlarge:5k0"},
            {"Key": "roost:spent:1", "Value": "m/m7i.large:5k0"},
        ]
        found = history.in_tags(before)
        assert history.as_tags(found, (), before) == {
            "roost:spent:0": "m/m7i.xlarge:5k0 m/m7i.large:5k0",
            "roost:spent:1": "",
        }

    def test_the_users_tags_leave_room_for_six(self) -> None:
        users = [{"Key": f"key-{n}", "Value": "x"} for n in range(44)]
        batches = tuple(Batch(HEAD, n, 2, (Ending(1, 1, 1),)) for n in range(100))
        found = history.as_tags(Ledger(batches), (), users)
        assert list(found) == [f"roost:spent:{n}" for n in range(6)]
        assert max(map(len, found.values())) <= 256
        assert found["roost:spent:0"].startswith("@ ")


@pytest.fixture
def calls(account: Account) -> Calls:
    """Of an account with a record."""
    account.client.create_launch_template(
        LaunchTemplateName="roost-pix",
        LaunchTemplateData={"UserData": "eA=="},
        TagSpecifications=[
            {"ResourceType": "launch-template", "Tags": [{"Key": "roost", "Value": "pix"}]}
        ],
    )
    return Calls(account.client)


def described(state: str = "running", reason: str = "") -> dict[str, Any]:
    return {"instance": [{"Instances": [instance(1, state, reason)]}], "volume": [volume("vol-r")]}


class TestOnEc2:
    def test_a_stop_is_written_down_by_two_calls(self, account: Account, calls: Calls) -> None:
        account.ec2.calls.clear()
        history.note(calls, "pix", described(), TEN + timedelta(hours=2), ["i-1"])
        assert account.ec2.calls == ["DescribeLaunchTemplates", "CreateTags"]
        (template,) = account.client.describe_launch_templates()["LaunchTemplates"]
        assert {t["Key"]: t["Value"] for t in template["Tags"]} == {
            "roost": "pix",
            "roost:spent:0": "d/gp3/73/3000/125:tosp40:1: m/m7i.xlarge:tosp40:1:1+5k0",
        }

    def test_what_is_written_already_is_not_written_again(
        self, account: Account, calls: Calls
    ) -> None:
        for _ in range(2):
            account.ec2.calls.clear()
            history.note(calls, "pix", described(), TEN + timedelta(hours=2), ["i-1"])
        assert account.ec2.calls == ["DescribeLaunchTemplates"]

    def test_a_kill_in_front_of_the_stop(self, calls: Calls) -> None:
        for hour in (2, 3):
            history.note(calls, "pix", described(), TEN + timedelta(hours=hour), ["i-1"])
        ledger, _ = history.history(calls, "pix", TEN + timedelta(hours=5))
        stopped = history.things(described("stopped", "User initiated (2026-11-20 13:00:04 GMT)"))
        whole = reconciled(ledger, stopped.values(), START + 5 * HOUR)
        assert lasted(whole, START + 5 * HOUR)[HEAD] == (3 * HOUR, 3 * HOUR)

    def test_all_of_a_machine_that_is_terminated(self, calls: Calls) -> None:
        history.note(calls, "pix", described(), TEN + timedelta(hours=2), ["i-1"], terminated=True)
        ledger, there = history.history(calls, "pix", TEN + timedelta(hours=5))
        assert there.seen == ()
        assert lasted(reconciled(ledger, (), there.now), there.now) == {
            HEAD: (2 * HOUR, 2 * HOUR),
            Disk("gp3", 73, 3000, 125): (2 * HOUR, 2 * HOUR),
        }

    def test_without_a_record_nothing_happens(self, account: Account) -> None:
        history.note(Calls(account.client), "pix", described(), TEN, ["i-1"])
        assert account.ec2.calls == ["DescribeLaunchTemplates"]

    def test_what_runs_and_since_when_its_address_is_used(
        self, account: Account, calls: Calls
    ) -> None:
        ec2 = account.client
        tags = [{"Key": "roost", "Value": "pix"}]
        (made,) = ec2.run_instances(
            ImageId="ami-12c6146b",
            InstanceType="m7i.xlarge",
            MinCount=1,
            MaxCount=1,
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
        )["Instances"]
        account.settle()
        for _ in range(2):
            ip = ec2.allocate_address(
                Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": tags}]
            )
        ec2.associate_address(AllocationId=ip["AllocationId"], InstanceId=made["InstanceId"])
        account.ec2.calls.clear()
        _, there = history.history(calls, "pix", TEN)
        assert len(account.ec2.calls) == 5
        since = int(made["LaunchTime"].timestamp())
        assert there.seen == (Seen(HEAD, since),)
        assert sorted(there.fixed, key=str) == [since, None]
        ec2.stop_instances(InstanceIds=[made["InstanceId"]])
        account.settle()
        assert history.history(calls, "pix", TEN)[1].fixed == (None, None)


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def roost_cost(account: Account, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``roost_cost(ledger, *seen)``: the command, of a name that has had this; at 20:00."""
    later = TEN + timedelta(hours=10)
    monkeypatch.setattr("roost.app.cost.now", lambda: later)
    monkeypatch.setenv("ROOST_HOME", str(account.locks))

    def call(ledger: Ledger, *seen: Seen, words: tuple[str, ...] = ()) -> Result:
        there = There(seen, began=START, now=int(later.timestamp()))
        monkeypatch.setattr(history, "history", lambda *_, **__: (ledger, there))
        return CliRunner().invoke(cli, ["cost", "pix", "--region", REGION, *words])

    return call


@pytest.fixture
def recorded(account: Account) -> None:
    cloud = account.roost()
    cloud._keeper("pix", cloud._memory("pix")).settings(RECORD)


@pytest.mark.usefixtures("recorded")
class TestCommand:
    def test_while_it_runs(self, roost_cost: Any) -> None:
        told = roost_cost(Ledger(), Seen(HEAD, START), Seen(Disk("gp3", 73), START))
        # 10 x (0.2415 + 73 x 0.0952 / 730 + 0.005) = 2.5602; 1.5 x 0.25602 = 0.38403; of 3: 85 %
        assert told.stdout.splitlines() == [
            "WHAT                         SO FAR",
            "m7i.xlarge running            $2.42",
            "gp3 volumes                 $0.0952",
            "public IPv4 address in use    $0.05",
            "",
            "so far: $2.56",
            "an hour, as it is now: $0.256",
            "until its end time, 2026-11-20 21:30 UTC: $0.384 more",
            f"- {NOT_COUNTED}",
            "budget $3.00: 85 % is used; "
            "at 100 % it stops itself, and is to be parked; nothing is deleted",
        ]
        assert told.stderr == "roost: pix has used 85 % of its budget\n"

    def test_stopped_by_itself_nobody_knows_when(self, roost_cost: Any) -> None:
        told = roost_cost(Ledger(), Seen(HEAD, START, on=False), Seen(Disk("gp3", 73), START))
        assert told.stdout.splitlines()[:7] == [
            "WHAT                        AT LEAST  AT MOST",
            "m7i.xlarge running             $0.00    $2.42",
            "gp3 volumes                  $0.0952  $0.0952",
            "public IPv4 address in use     $0.00    $0.05",
            "",
            "so far: between $0.0952 and $2.56",
            "an hour, as it is now: $0.0095",
        ]
        assert "budget $3.00: 3 % to 85 % is used; at 100 %" in told.stdout

    def test_as_json(self, roost_cost: Any) -> None:
        told = roost_cost(Ledger(), Seen(HEAD, START), words=("--json",))
        found = json.loads(told.stdout)
        Draft202012Validator(json.loads(SCHEMA.read_text())).validate(found)
        # 10 x (0.2415 + 0.005)
        assert found["spent"]["most"]["usd"] == 2.465
        assert found["spent"]["least"]["lines"][0]["quantity"] == 10
        assert found["per_hour"]["usd"] == 0.2465
        assert found["until_end"] == {"usd": 0.36975, "known": True, "at_most": False}
        assert found["budget"] == {
            "usd": 3,
            "least_percent": 82,
            "most_percent": 82,
            "state": "warning",
            "at_end": "park",
        }

    def test_a_machine_without_a_price(self, roost_cost: Any) -> None:
        told = roost_cost(Ledger(), Seen(Machine("x99.large"), START))
        assert "x99.large running           unknown" in told.stdout
        assert "so far: at least $0.05" in told.stdout
        assert "- no price of x99.large in eu-central-1" in told.stdout


def test_a_record_that_cannot_be_read_keeps_no_cost_from_being_told(
    account: Account, roost_cost: Any
) -> None:
    cloud = account.roost()
    cloud._keeper("pix", cloud._memory("pix")).settings(RECORD.replace("desktop", "palace"))
    told = roost_cost(Ledger(), Seen(HEAD, START))
    assert told.exit_code == 0, told.output
    assert "so far: $2.46" in told.stdout
    assert "- its record is lost or cannot be read: its end and its budget are" in told.stdout
    assert "it has no end time" not in told.stdout


def test_nothing_of_that_name(roost_cost: Any) -> None:
    told = roost_cost(Ledger())
    assert isinstance(told.exception, NotFoundError)


def test_a_cloud_that_remembers_no_history_does_not_pass_for_free() -> None:
    cloud = FakeCloud(capabilities=Capabilities(rents=True), name="aws", region=REGION)
    assert so_far(cloud, State(name="pix")) == (
        f"unknown (say what something has cost: aws {REGION} cannot do that)"
    )
    own = FakeCloud(capabilities=Capabilities(), name="local")
    assert so_far(own, State(name="pix")) == "$0.00"
