"""The network of the machines: of a VPC of one's own, the subnets that people can reach."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from roost.cost.bill import Addresses
from roost.errors import RoostError, UsageError
from roost.model.host import Host
from roost.model.resources import Group, Rule, Shape, Wanted
from roost.plan.bill import bill_of
from roost.plan.wanted import wanted_of
from roost.providers.aws.client import Calls
from roost.providers.aws.machine_role import SESSIONS, machine_policy, session_statements
from roost.providers.aws.network import PRIVATE_ONE, find_network, judge_routes
from roost.providers.aws.rights import AwsRights
from roost.spec import load
from roost.spec.aws import Aws
from tests.aws.conftest import Account
from tests.aws.scenes import DESKTOP
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


def test_up_refuses_a_default_network_that_doctor_calls_a_problem(
    roost: Roost, account: Account, tmp_path: Path
) -> None:
    """Nothing is rented where nobody could reach it; a zone that is closed is not taken."""
    ec2 = account.client
    file = tmp_path / "stars.toml"
    file.write_text(STARS)
    (table,) = ec2.describe_route_tables()["RouteTables"]
    table_id, vpc = table["RouteTableId"], table["VpcId"]
    subnets = ec2.describe_subnets()["Subnets"]
    (closed,) = (s["SubnetId"] for s in subnets if s["AvailabilityZone"] == A)
    empty = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=empty, SubnetId=closed)
    found = find_network(Calls(ec2), Aws(region="eu-central-1"))
    assert set(found.subnets) == {B, "eu-central-1c"}
    assert judge_routes(ec2.describe_route_tables()["RouteTables"], found).verdict == "ok"
    ec2.delete_route(RouteTableId=table_id, DestinationCidrBlock="0.0.0.0/0")
    for verb in (("doctor", file), ("up", file, "--yes")):
        told = roost(*verb)
        assert told.code in (1, 5), told
        assert f"{vpc} has no route to an internet gateway" in told.out + told.err
    assert account.left() == {}


def test_machines_are_in_the_security_groups_of_the_file_too(
    roost: Roost, account: Account, tmp_path: Path
) -> None:
    ec2 = account.client
    (vpc,) = (v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"])
    theirs = {"GroupName": "lab", "Description": "the lab's file server"}
    lab = ec2.create_security_group(**theirs, VpcId=vpc)["GroupId"]
    other = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    elsewhere = ec2.create_security_group(**theirs, VpcId=other)["GroupId"]
    file = tmp_path / "stars.toml"

    def write(group: str) -> None:
        file.write_text(STARS.replace("[machine]", f'security_groups = ["{group}"]\n[machine]'))

    write(elsewhere)
    told = roost("up", file, "--yes")
    assert (told.code, f"security_groups: {elsewhere} is not in {vpc}" in told.err) == (2, True)
    assert "instances" not in account.left()
    write(lab)
    assert f"nothing else is open but what {lab} lets in" in roost("plan", file).out
    ok(roost("up", file, "--yes"))
    (launch,) = ec2.describe_instances()["Reservations"]
    (one,) = launch["Instances"][0]["NetworkInterfaces"]
    groups = [group["GroupId"] for group in one["Groups"]]
    assert (len(groups), groups.count(lab)) == (2, 1)
    before = ec2.describe_security_groups(GroupIds=[lab])["SecurityGroups"]
    ok(roost("down", "stars", "--yes", "--delete-data", "stars"))
    assert ec2.describe_security_groups(GroupIds=[lab])["SecurityGroups"] == before


# --- machines without a public address -----------------------------------------------------------


def leads_out(vpc: Vpc, subnet: str) -> None:
    """As a NAT gateway, which the double of EC2 makes in a public subnet."""
    away = vpc.subnet(A, public=True)
    address = vpc.ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = vpc.ec2.create_nat_gateway(SubnetId=away, AllocationId=address)["NatGateway"]
    table = vpc.ec2.create_route_table(VpcId=vpc.id)["RouteTable"]["RouteTableId"]
    vpc.ec2.create_route(
        RouteTableId=table,
        DestinationCidrBlock="0.0.0.0/0",
        NatGatewayId=nat["NatGatewayId"],
    )
    vpc.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)


def test_a_private_machine_is_in_a_subnet_that_leads_out(account: Account) -> None:
    vpc = Vpc(account.client)
    shut, good = vpc.subnet(A, public=False), vpc.subnet(A, public=False)
    aws = Aws(region="eu-central-1", vpc=vpc.id)
    with pytest.raises(RoostError, match="no private subnet in eu-central-1a") as caught:
        find_network(Calls(account.client), aws, public=False)
    assert "NAT gateway" in str(caught.value.next)
    with pytest.raises(RoostError, match="no private subnet"):
        find_network(Calls(account.client), Aws(region="eu-central-1"), public=False)
    leads_out(vpc, good)
    network = find_network(Calls(account.client), aws, public=False)
    assert network.subnets == {A: good}
    tables = account.client.describe_route_tables()["RouteTables"]
    assert judge_routes(tables, network).verdict == "ok"
    bad = judge_routes(tables, replace(network, subnets={A: shut}))
    assert (bad.verdict, bad.mend) == ("problem", PRIVATE_ONE)
    # From the record, as every later command does.
    record = json.dumps(
        {
            **json.loads(DESKTOP.record),
            "aws": {"region": "eu-central-1", "vpc": vpc.id},
            "access": {"reach": "jump", "jump": "alice@gateway.lab", "ssh": ["10.0.0.0/16"]},
        }
    )
    rule = Rule(port=22, source="10.0.0.0/16")
    groups = (replace(DESKTOP.security_groups[0], rules=(rule,)),)
    account.up(replace(DESKTOP, record=record, security_groups=groups, addresses=(), public=False))
    (launch,) = account.client.describe_instances()["Reservations"]
    (one,) = launch["Instances"]
    assert (one["SubnetId"], one.get("PublicIpAddress")) == (good, None)
    _, there = account.roost().history(DESKTOP.name, datetime.now(UTC))
    assert there.public  # nobody has looked: rather too much than too little
    cloud = account.roost()
    cloud.observe(DESKTOP.name)
    assert not cloud.history(DESKTOP.name, datetime.now(UTC))[1].public


def test_an_address_that_is_not_there_costs_nothing() -> None:
    shape = Shape(type="m7i.large", cpus=2, memory_gib=8, disk_gib=8)
    wanted = Wanted(name="a", record="", groups=(Group(role="desktop", count=2, shape=shape),))

    def addresses(wanted: Wanted) -> list[int]:
        items = bill_of(wanted, "eu-central-1", "gp3").items
        return [item.count for item in items if isinstance(item, Addresses)]

    assert addresses(wanted) == [2]
    assert addresses(replace(wanted, public=False)) == []


def test_session_manager_reaches_ssh_of_the_names_machines_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "stars.toml"
    file.write_text(
        'name = "stars"\nkind = "desktop"\n[aws]\nregion = "eu-central-1"\n[machine]\ncpus = 2\n'
        '[access]\nreach = "ssm"\nssh = []\n'
    )
    spec = load(file)
    (problem,) = AwsRights().warnings(spec, str(file))
    assert (problem.verdict, "instance_profile" in problem.text) == ("problem", True)
    machines, document, own = session_statements(spec, "eu-central-1")
    assert machines["Condition"]["StringEquals"] == {"ssm:resourceTag/roost": "stars"}
    assert document["Resource"] == ["arn:aws:ssm:*::document/AWS-StartSSHSession"]
    assert own["Resource"] == ["arn:aws:ssm:*:*:session/${aws:username}-*"]
    policy = machine_policy(spec, "eu-central-1")
    assert policy is not None
    assert {a for s in policy["Statement"] for a in s["Action"]} == set(SESSIONS)
    file.write_text(file.read_text().replace("cpus = 2\n", 'cpus = 2\nimage = "debian-12"\n'))
    with pytest.raises(UsageError, match="no agent of Session Manager"):
        wanted_of(load(file), Host(2, 8))
