"""Who reaches whom in a class: the gateway every seat, no seat another one, and nobody past it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.aws.conftest import Account
from tests.aws.strict import Weather
from tests.aws.test_cli import ok
from tests.aws.test_cli import roost as on_aws
from tests.aws.test_gateway import machines
from tests.cli.calling import Roost

roost = on_aws
ROOM = """\
name = "room"
kind = "classroom"
cloud = "aws"
seats = {seats}
[aws]
region = "eu-central-1"
[machine]
type = "t3.small"
disk = "30GB"
[access]
ssh = ["me"]
https = ["192.0.2.0/24"]
{reach}
"""
PEOPLE = {(22, "203.0.113.7/32"), (443, "192.0.2.0/24")}
BEHIND = {"room": {"room.gateway"}, "room.gateway": {"room.gateway", *PEOPLE}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "room.toml"


def write(file: Path, *, seats: int = 3, reach: str = 'reach = "jump"') -> Path:
    file.write_text(ROOM.format(seats=seats, reach=reach))
    return file


def entering(account: Account) -> dict[str, set[Any]]:
    """Who enters each firewall: networks with their ports, and other firewalls by their names."""
    groups = account.client.describe_security_groups()["SecurityGroups"]
    names = {g["GroupId"]: g["GroupName"].removeprefix("roost-") for g in groups}
    return {
        names[group["GroupId"]]: {
            *(
                (permission.get("FromPort"), network["CidrIp"])
                for permission in group["IpPermissions"]
                for network in permission["IpRanges"]
            ),
            *(
                names[pair["GroupId"]]
                for permission in group["IpPermissions"]
                for pair in permission["UserIdGroupPairs"]
            ),
        }
        for group in groups
        if group["GroupName"] != "default"
    }


def test_only_the_gateway_reaches_seats_by_as_many_requests_for_any_number_of_them(
    roost: Roost, account: Account, file: Path
) -> None:
    account.ec2.weather = Weather(delay=0)
    ok(roost("up", write(file, seats=20), "--yes", "--json"))
    assert len(account.ec2.calls) == 16, account.ec2.calls
    assert entering(account) == BEHIND
    named = {
        node: {group["GroupName"] for group in machine["NetworkInterfaces"][0]["Groups"]}
        for node, machine in machines(account).items()
    }
    assert named.pop("gateway") == {"roost-room", "roost-room.gateway"}
    assert list(named.values()) == [{"roost-room"}]  # one launch, which all seats are in
    ok(roost("down", "room", "--yes", "--json"))
    assert account.left() == {}


@pytest.mark.slow
def test_a_class_of_before_is_closed_and_a_gateway_comes_and_goes(
    roost: Roost, account: Account, file: Path
) -> None:
    """An older roost let seats reach each other, and knew of no rule for the gateway alone."""
    account.ec2.weather = Weather(delay=0)
    up = ("up", write(file), "--yes")
    ok(roost(*up, "--json"))
    groups = account.client.describe_security_groups()["SecurityGroups"]
    (inside,) = (group for group in groups if group["GroupName"] == "roost-room")
    own = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": inside["GroupId"]}]}]
    by_id = {"GroupId": inside["GroupId"]}
    account.client.revoke_security_group_ingress(**by_id, IpPermissions=inside["IpPermissions"])
    account.client.authorize_security_group_ingress(**by_id, IpPermissions=own)
    told = roost(*up)
    assert told.code == 0, told.err
    assert "open all ports from the gateway" in told.err
    assert "close all ports from each other" in told.err
    assert entering(account) == BEHIND
    assert "nothing" in roost("plan", "room", "--diff").out.lower()
    write(file, reach="")
    ok(roost(*up, "--json"))
    assert entering(account) == {"room": PEOPLE}
    write(file)
    ok(roost(*up, "--json"))
    assert entering(account) == BEHIND
    ok(roost("down", "room", "--yes", "--json"))
    assert account.left() == {}


def test_a_class_of_250_seats_is_planned(roost: Roost, file: Path) -> None:
    assert "create 250 instances" in roost("plan", write(file, seats=250)).out
