"""A command that fails says what exists, what that costs an hour, and the command that ends it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.aws.conftest import Account
from tests.aws.strict import Weather
from tests.aws.test_cli import ok, roost
from tests.cli.calling import OUTPUTS, Roost

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


def test_what_cannot_be_looked_at_is_unknown(roost: Roost, account: Account, file: Path) -> None:
    ok(roost("up", file, "--yes", "--json"))
    account.ec2.weather = Weather(
        refuse={"StopInstances": "UnauthorizedOperation", "DescribeVolumes": "InternalError"}
    )
    told = roost("stop", "lab")
    assert told.code != 0
    assert "it costs unknown" in told.err or "it costs $" in told.err
    assert "roost down lab" in told.err
