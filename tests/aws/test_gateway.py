"""The gateway that roost makes: the only machine that anybody reaches from outside."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from roost.providers.aws.client import Calls
from roost.providers.aws.network import find_network
from roost.spec.aws import Aws
from tests.aws.conftest import Account
from tests.aws.strict import Weather
from tests.aws.test_cli import ok
from tests.aws.test_cli import roost as on_aws
from tests.aws.test_network import A, B, Vpc, leads_out
from tests.cli.calling import Roost

roost = on_aws
STARS = """\
name = "stars"
kind = "desktop"
[aws]
region = "eu-central-1"
[machine]
type = "m5.large"
disk = "30GB"
{volume}[access]
ssh = ["me", "192.0.2.0/24"]
{reach}
"""
THROUGH = 'reach = "jump"'
VOLUME = '[[volumes]]\nname = "data"\nsize = "50GB"\n'


def written(reach: str, volume: str = VOLUME) -> str:
    return STARS.format(reach=reach, volume=volume)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "stars.toml"
    path.write_text(written(THROUGH))
    return path


def asked(account: Account, call: str) -> list[Any]:
    return [words for name, words in account.ec2.asked if name == call]


def machines(account: Account) -> dict[str, Any]:
    """The machines that are there, as EC2 describes them."""
    every = account.client.describe_instances()["Reservations"]
    there = [i for r in every for i in r["Instances"] if i["State"]["Name"] != "terminated"]
    return {next(t["Value"] for t in i["Tags"] if t["Key"] == "roost:node"): i for i in there}


def open_ports(account: Account) -> dict[str, set[tuple[int, str]]]:
    """What each security group lets in from outside."""
    groups = account.client.describe_security_groups()["SecurityGroups"]
    return {
        group["GroupName"]: {
            (permission["FromPort"], network["CidrIp"])
            for permission in group["IpPermissions"]
            for network in permission["IpRanges"]
        }
        for group in groups
        if group["GroupName"] != "default"
    }


INSIDE, OUTSIDE = "roost-stars", "roost-stars.gateway"
PEOPLE = {(22, "203.0.113.7/32"), (22, "192.0.2.0/24")}


def test_only_the_gateway_is_open(roost: Roost, account: Account, tmp_path: Path) -> None:
    """All of it is made by a fixed number of requests: a second firewall takes two of them."""
    file = tmp_path / "stars.toml"
    file.write_text(written(THROUGH, volume=""))
    account.ec2.weather = Weather(delay=0)
    told = roost("up", file, "--yes")
    assert "1 desktop, 1 gateway" in told.err, told.err
    assert len(account.ec2.calls) == 16, account.ec2.calls
    assert open_ports(account) == {INSIDE: set(), OUTSIDE: PEOPLE}
    there = machines(account)
    groups = {
        node: interface["Groups"]
        for node, i in there.items()
        for interface in i["NetworkInterfaces"]
    }
    named = {node: {group["GroupName"] for group in those} for node, those in groups.items()}
    assert named == {"desktop": {INSIDE}, "gateway": {INSIDE, OUTSIDE}}
    (address,) = account.client.describe_addresses()["Addresses"]
    assert address["InstanceId"] == there["gateway"]["InstanceId"]
    shown = ok(roost("show", "stars", "--json"))
    assert {i["name"]: i["address"] for i in shown["instances"]}["gateway"] == address["PublicIp"]


@pytest.mark.slow
def test_the_life_of_a_name_with_a_gateway(roost: Roost, account: Account, file: Path) -> None:
    ok(roost("up", file, "--yes"))
    ids = {node: i["InstanceId"] for node, i in machines(account).items()}
    nodes = {ec2_id: node for node, ec2_id in ids.items()}

    def order(call: str) -> list[list[str]]:
        return [[nodes[one] for one in words["InstanceIds"]] for words in asked(account, call)]

    (address,) = account.client.describe_addresses()["Addresses"]
    account.ec2.begin()
    ok(roost("stop", "stars"))
    assert order("StopInstances") == [["desktop"], ["gateway"]]
    ok(roost("start", "stars"))
    assert order("StartInstances") == [["gateway"], ["desktop"]]
    assert account.client.describe_addresses()["Addresses"][0]["PublicIp"] == address["PublicIp"]
    # The people of the file come in at the gateway, and go from there.
    file.write_text(file.read_text().replace(', "192.0.2.0/24"', ""))
    ok(roost("up", file, "--yes"))
    assert open_ports(account) == {INSIDE: set(), OUTSIDE: {(22, "203.0.113.7/32")}}
    # Parked, nothing of it is left; it comes back with another address.
    told = roost("park", "stars", "--yes")
    assert told.code == 0, told.err
    assert {"instances", "addresses"}.isdisjoint(account.left())
    ok(roost("resume", "stars", "--yes"))
    assert set(machines(account)) == {"desktop", "gateway"}
    (other,) = account.client.describe_addresses()["Addresses"]
    assert other["PublicIp"] != address["PublicIp"]
    cost = ok(roost("cost", "stars", "--json"))
    assert "t3a.small" in str(cost)
    nodes |= {i["InstanceId"]: node for node, i in machines(account).items()}
    account.ec2.begin()
    ok(roost("down", "stars", "--yes"))
    assert order("TerminateInstances") == [["desktop"], ["gateway"]]
    account.ec2.discarded = {"data"}
    ok(roost("down", "stars", "--yes", "--delete-data", "stars"))
    assert (account.left(), account.ec2.lost) == ({}, [])


def test_a_gateway_comes_and_goes_with_the_file(roost: Roost, account: Account, file: Path) -> None:
    """Nobody may come in past it, and nothing of it stays once the file wants none."""
    file.write_text(written(""))
    ok(roost("up", file, "--yes"))
    assert open_ports(account) == {INSIDE: PEOPLE}
    file.write_text(written(THROUGH))
    told = roost("up", file, "--no-input")
    assert (told.code, machines(account).keys()) == (4, {"desktop"})  # it costs more
    ok(roost("up", file, "--yes"))
    assert open_ports(account) == {INSIDE: set(), OUTSIDE: PEOPLE}
    file.write_text(written(""))
    ok(roost("up", file, "--yes"))
    assert (open_ports(account), set(machines(account))) == ({INSIDE: PEOPLE}, {"desktop"})
    assert "addresses" not in account.left()


def test_in_a_vpc_with_a_way_out_only_the_gateway_has_an_address(
    roost: Roost, account: Account, file: Path
) -> None:
    vpc = Vpc(account.client)
    inside, outside = vpc.subnet(A, public=False), vpc.subnet(B, public=True)
    aws, calls = Aws(region="eu-central-1", vpc=vpc.id), Calls(account.client)
    alone = find_network(calls, aws, gateway=True)
    assert (alone.subnets, alone.public, alone.outer) == ({B: outside}, True, None)
    leads_out(vpc, inside)
    file.write_text(written(THROUGH).replace("[machine]", f'vpc = "{vpc.id}"\n[machine]'))
    ok(roost("up", file, "--yes"))
    there = machines(account)
    assert there["desktop"]["SubnetId"] == inside
    assert there["gateway"]["SubnetId"] != inside
    assert "PublicIpAddress" not in there["desktop"]
    cloud = account.roost()
    cloud.observe("stars")
    _, found = cloud.history("stars", datetime.now(UTC))
    assert (found.public, found.fixed) == (False, (None,))
