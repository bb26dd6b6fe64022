"""A command that fails says what exists, what that costs an hour, and the command that ends it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.aws.conftest import Account
from tests.aws.strict import Weather
from tests.aws.test_cli import ok, roost
from tests.cli.calling import OUTPUTS, REPO, Roost

__all__ = ["roost"]

FILE = """\
name = "lab"
kind = "desktop"
cloud = "aws"
[aws]
region = "eu-central-1"
[machine]
type = "m5.large"
[access]
address = "fixed"
[[volumes]]
name = "data"
size = "100GB"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lab.toml"
    path.write_text(FILE)
    return path


def fail_at(account: Account, call: str, code: str) -> None:
    """Let every such call be refused."""
    account.ec2.weather = Weather(refuse={call: code})


@pytest.mark.parametrize(
    ("call", "code", "there"),
    [
        ("RunInstances", "VolumeLimitExceeded", "address desktop ("),
        ("CreateVolume", "VolumeLimitExceeded", "desktop ("),
        ("AssociateAddress", "UnauthorizedOperation", "desktop (running), volume data (100 GiB)"),
    ],
)
def test_a_failed_up_says_what_it_leaves_and_what_that_costs(
    call: str, code: str, there: str, roost: Roost, account: Account, file: Path
) -> None:
    fail_at(account, call, code)
    told = roost("up", file, "--yes")
    assert told.code in (1, 5), told.err
    assert f"there now: {there}" in told.err, told.err
    assert "it costs $" in told.err
    assert "an hour; `roost down lab` ends that" in told.err
    assert told.out == ""

    told = roost("up", file, "--yes", "--json")
    schema = json.loads((OUTPUTS / "error.schema.json").read_text())
    Draft202012Validator(schema).validate(told.json)
    assert told.json["error"]["exit_code"] == told.code
    assert told.json["error"]["exists"]
    assert told.json["error"]["costs"].endswith("an hour; `roost down lab` ends that")

    account.ec2.weather = Weather()
    ok(roost("up", file, "--yes", "--json"))


def test_an_address_that_is_refused_rents_no_machine(
    roost: Roost, account: Account, file: Path
) -> None:
    fail_at(account, "AllocateAddress", "AddressLimitExceeded")
    told = roost("up", file, "--yes")
    assert told.code == 5, told.err
    assert "there now: its settings in the cloud\n" in told.err
    assert "RunInstances" not in account.ec2.counted


def test_where_nothing_was_made_nothing_costs(roost: Roost, account: Account, file: Path) -> None:
    told = roost("up", file, "--no-input", "--json")
    assert told.code == 4
    assert told.json["error"]["costs"] is None
    assert account.left() == {}


def test_a_larger_volume_is_shown_with_its_price_and_asked_for(
    roost: Roost, account: Account, file: Path
) -> None:
    """EBS makes none smaller: a mistyped size would cost for ever."""
    ok(roost("up", file, "--yes", "--json"))
    larger = 'size = "16TB"\niops = 16000'
    file.write_text(FILE.replace('size = "100GB"', larger))
    told = roost("up", file, "--no-input")
    assert told.code == 4, told.err
    assert "volume data: 100 GiB -> 16384 GiB, $9.52 -> $1,6" in told.err, told.err
    assert "a volume never becomes smaller again: data" in told.err
    assert "ModifyVolume" not in account.ec2.counted
    ok(roost("up", file, "--yes", "--json"))
    assert account.ec2.counted["ModifyVolume"] == 1


def test_more_workers_are_asked_for_and_fewer_are_not(
    roost: Roost, account: Account, tmp_path: Path
) -> None:
    file = tmp_path / "many.toml"
    file.write_text(
        f'''name = "many"\nkind = "cluster"\ncloud = "aws"\n[aws]\nregion = "eu-central-1"
[environment]\nproject = "{REPO}/examples/ndvi"\n[workers]\ncount = 2\ntype = "m5.large"\n'''
    )
    ok(roost("up", file, "--yes", "--json"))
    told = roost("scale", "many", "58", "--no-input")
    assert told.code == 4
    assert "56 more workers: " in told.err
    ok(roost("scale", "many", "1", "--no-input", "--json"))
    assert len(ok(roost("scale", "many", "3", "--yes", "--json"))["instances"]) == 4


def test_an_end_that_has_passed_rents_nothing(
    roost: Roost, account: Account, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = datetime.now(UTC) + timedelta(hours=1)
    file.write_text(f"{FILE}[schedule]\nend = {end:%Y-%m-%dT%H:%M:%SZ}\n")
    ok(roost("up", file, "--yes", "--json"))
    ok(roost("stop", "lab", "--json"))
    monkeypatch.setattr("roost.app.ends.now", lambda: end)
    told = roost("start", "lab")
    assert told.code == 0
    assert "warning: the end time of lab has passed" in told.err
    assert "roost extend lab 2h" in told.err
    before = len(account.ec2.calls)
    told = roost("up", file, "--yes")
    assert told.code == 2
    assert "a later end in [schedule] of the file, then: roost up FILE" in told.err
    assert account.ec2.calls[before:] == []
    assert "warning: the end time of lab has passed" in roost("plan", file).out
    ok(roost("park", "lab", "--yes", "--mode", "data=snapshot", "--json"))
    told = roost("resume", "lab", "--yes")
    assert told.code == 2
    assert "has passed" in told.err


def test_what_cannot_be_looked_at_is_unknown(roost: Roost, account: Account, file: Path) -> None:
    ok(roost("up", file, "--yes", "--json"))
    account.ec2.weather = Weather(
        refuse={"StopInstances": "UnauthorizedOperation", "DescribeVolumes": "InternalError"}
    )
    told = roost("stop", "lab")
    assert told.code != 0
    assert "it costs unknown" in told.err or "it costs $" in told.err
    assert "roost down lab" in told.err
