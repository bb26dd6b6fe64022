"""The network of the machines: of a VPC of one's own, the subnets that people can reach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from roost.errors import RoostError
from roost.providers.aws.client import Calls
from roost.providers.aws.network import find_network
from roost.spec.aws import Aws
from tests.aws.conftest import Account
from tests.aws.strict import Weather
from tests.aws.test_cli import ok
from tests.aws.test_cli import roost as on_aws
from tests.aws.test_lost_copies import STARS
from tests.cli.calling import Roost

roost = on_aws
A, B = "eu-central-1a", "eu-central-1b"


class Vpc:
    """A VPC with a way out for those subnets that get a route table with it."""

    def __init__(self, ec2: Any) -> None:
        self.ec2 = ec2
        self.id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.id)
        self.count = 0

    def subnet(self, zone: str, *, public: bool) -> str:
        self.count += 1
        made = self.ec2.create_subnet(
            VpcId=self.id, CidrBlock=f"10.0.{self.count}.0/24", AvailabilityZone=zone
        )
        subnet = str(made["Subnet"]["SubnetId"])
        if public:
            table = self.ec2.create_route_table(VpcId=self.id)["RouteTable"]["RouteTableId"]
            self.ec2.create_route(
                RouteTableId=table,
                DestinationCidrBlock="0.0.0.0/0",
                GatewayId=self.gateway,
            )
            self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        return subnet


def test_of_each_zone_the_public_subnet_is_taken_whatever_comes_last(account: Account) -> None:
    vpc = Vpc(account.client)
    first = vpc.subnet(A, public=True)
    vpc.subnet(A, public=False)
    vpc.subnet(B, public=False)
    last = vpc.subnet(B, public=True)
    vpc.subnet("eu-central-1c", public=False)
    calls = Calls(account.client)
    found = find_network(calls, Aws(region="eu-central-1", vpc=vpc.id))
    assert found.subnets == {A: first, B: last}
    listed = find_network(calls, Aws(region="eu-central-1", vpc=vpc.id, zones=(B,)))
    assert listed.subnets == {B: last}
    # Where nobody may look, the subnet whose machines get addresses.
    account.client.modify_subnet_attribute(SubnetId=first, MapPublicIpOnLaunch={"Value": True})
    account.ec2.weather = Weather(refuse={"DescribeRouteTables": "UnauthorizedOperation"})
    blind = find_network(calls, Aws(region="eu-central-1", vpc=vpc.id, zones=(A,)))
    assert blind.subnets == {A: first}


def test_private_subnets_are_refused_and_stay_private(
    roost: Roost, account: Account, tmp_path: Path
) -> None:
    vpc = Vpc(account.client)
    private = vpc.subnet(A, public=False)
    with pytest.raises(RoostError, match="no route to an internet gateway"):
        find_network(Calls(account.client), Aws(region="eu-central-1", subnet=private))
    file = tmp_path / "stars.toml"
    file.write_text(STARS.replace("[machine]", f'vpc = "{vpc.id}"\n[machine]'))
    told = roost("up", file, "--yes")
    assert told.code == 1
    assert f"{vpc.id} has no route to an internet gateway in {A}" in told.err
    assert "create-route" not in told.err
    assert account.left() == {}
    public = vpc.subnet(A, public=True)
    ok(roost("up", file, "--yes"))
    (asked,) = (asked for name, asked in account.ec2.asked if name == "RunInstances")
    assert asked["NetworkInterfaces"][0]["SubnetId"] == public
