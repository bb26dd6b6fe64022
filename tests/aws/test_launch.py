"""Where machines are launched: what is tried where there is no room, and what they are told."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from roost.errors import CapacityError, CloudError, QuotaError
from roost.model.resources import Group, Instance, KeyPair, SecurityGroup, Shape, State, Wanted
from roost.plan.up import plan_up
from roost.providers.aws.client import Calls
from roost.providers.aws.launch import Rung, ladder, step_down
from roost.providers.aws.network import private_addresses
from roost.reconcile.loop import reconcile
from roost.reconcile.quorum import PartlyUpError, Quorum
from tests.aws.conftest import Account
from tests.aws.scenes import DESKTOP
from tests.aws.strict import Weather

A, B, C = (f"eu-central-1{letter}" for letter in "abc")
SMALL = Shape(type="m5.large", cpus=2, memory_gib=8, image="ubuntu-24.04", disk_gib=30)
LISTED = '{"name": "ndvi", "kind": "cluster", "aws": {"region": "eu-central-1", "zones": %s}}'


def cluster(workers: int = 4, *, zones: str = "", head: Shape = SMALL, **worker: Any) -> Wanted:
    shape = replace(SMALL, type="m5.xlarge", cpus=4, memory_gib=16, **worker)
    return Wanted(
        name="ndvi",
        record=LISTED % zones if zones else '{"name": "ndvi", "kind": "cluster"}',
        groups=(
            Group(role="head", count=1, shape=head),
            Group(role="worker", count=workers, shape=shape),
        ),
        key_pairs=(KeyPair(name="ndvi"),),
        security_groups=(SecurityGroup(name="ndvi"),),
    )


def kinds(account: Account, role: str = "worker") -> Counter[tuple[str, str, str]]:
    """How many of a role are of which type, where, and on which market."""
    found: Counter[tuple[str, str, str]] = Counter()
    for reservation in account.client.describe_instances()["Reservations"]:
        for one in reservation["Instances"]:
            tags = {t["Key"]: t["Value"] for t in one["Tags"]}
            if tags["roost:role"] == role and one["State"]["Name"] == "running":
                zone = one["Placement"]["AvailabilityZone"]
                market = one.get("InstanceLifecycle", "on-demand")
                found[one["InstanceType"], zone, market] += 1
    return found


def launches(account: Account) -> list[dict[str, Any]]:
    return [asked for name, asked in account.ec2.asked if name == "RunInstances"]


def tried(account: Account) -> list[tuple[str, bool, int]]:
    """Type, spot or not, and how many, of each launch of workers."""
    return [
        (one["InstanceType"], "InstanceMarketOptions" in one, one["MaxCount"])
        for one in launches(account)
        if "worker" in str(one["TagSpecifications"])
    ]


# --- the ladder ----------------------------------------------------------------------------------


def test_spot_comes_before_on_demand_a_type_before_a_zone() -> None:
    shape = replace(SMALL, spot=True, others=("m6i.large",), or_on_demand=True)
    assert ladder(shape, (A, B)) == (
        Rung("m5.large", A, True),
        Rung("m6i.large", A, True),
        Rung("m5.large", B, True),
        Rung("m6i.large", B, True),
        Rung("m5.large", A, False),
        Rung("m6i.large", A, False),
        Rung("m5.large", B, False),
        Rung("m6i.large", B, False),
    )
    assert ladder(replace(SMALL, spot=True), (A,)) == (Rung("m5.large", A, True),)


def test_each_step_down_says_what_is_tried_next() -> None:
    here = Rung("m7i.xlarge", A, True)
    why = f"no {here} (InsufficientInstanceCapacity)"
    said = f"worker: no m7i.xlarge spot in {A} (InsufficientInstanceCapacity): trying "
    steps = {
        Rung("m7i.xlarge", B, True): B,
        Rung("m6i.xlarge", A, True): "m6i.xlarge spot",
        Rung("m6i.xlarge", B, True): f"m6i.xlarge spot in {B}",
        Rung("m7i.xlarge", A, False): "m7i.xlarge on demand",
        Rung("m7i.xlarge", B, False): f"m7i.xlarge in {B} on demand",
    }
    assert [step_down("worker", here, why, then) for then in steps] == [
        said + following for following in steps.values()
    ]


def test_workers_go_to_another_zone_only_where_the_file_lists_it(account: Account) -> None:
    account.ec2.weather = Weather(full=frozenset({("m5.xlarge", A)}))
    with pytest.raises(CapacityError, match=f"m5.xlarge in {A}") as caught:
        account.up(cluster())
    assert B not in caught.value.what
    assert "zones" in str(caught.value.next)

    state = account.up(cluster(zones=f'["{A}", "{B}"]'))
    assert kinds(account) == {("m5.xlarge", B, "on-demand"): 4}
    assert kinds(account, "head") == {("m5.large", A, "on-demand"): 1}
    assert f"worker: no m5.xlarge in {A} (InsufficientInstanceCapacity): trying {B}" in state.notes


def test_another_type_before_another_zone(account: Account) -> None:
    account.ec2.weather = Weather(full=frozenset({("m5.xlarge", A)}))
    state = account.up(cluster(zones=f'["{A}", "{B}"]', others=("m5a.xlarge",)))
    assert kinds(account) == {("m5a.xlarge", A, "on-demand"): 4}
    assert state.notes == (
        f"worker: no m5.xlarge in {A} (InsufficientInstanceCapacity): trying m5a.xlarge",
    )


def test_spot_first_and_the_rest_on_demand(account: Account) -> None:
    """RunInstances gives as many as there is room for; who is who stays right."""
    account.ec2.weather = Weather(room={("m5.xlarge", A, "spot"): 3})
    state = account.up(cluster(5, spot=True, or_on_demand=True))
    assert kinds(account) == {("m5.xlarge", A, "spot"): 3, ("m5.xlarge", A, "on-demand"): 2}
    workers = {i.name: i.shape.spot for i in state.instances if i.role == "worker"}
    assert workers == {
        "worker-1": True,
        "worker-2": True,
        "worker-3": True,
        "worker-4": False,
        "worker-5": False,
    }
    assert tried(account) == [("m5.xlarge", True, 5), ("m5.xlarge", False, 2)]
    assert state.notes == (
        f"worker: room for 3 of 5 m5.xlarge spot in {A}: trying m5.xlarge on demand",
    )


def test_spot_alone_stays_spot(account: Account) -> None:
    account.ec2.weather = Weather(full=frozenset({("m5.xlarge", A, "spot")}))
    with pytest.raises(CapacityError, match=f"m5.xlarge spot in {A}"):
        account.up(cluster(2, spot=True))
    assert kinds(account) == {}


def test_above_its_highest_price_nothing_is_rented_on_spot(account: Account) -> None:
    account.ec2.weather = Weather(spot_usd=0.06)
    with pytest.raises(CapacityError, match="SpotMaxPriceTooLow"):
        account.up(cluster(2, spot=True, max_price=0.05))
    assert kinds(account) == {}
    state = account.up(cluster(2, spot=True, max_price=0.05, or_on_demand=True))
    assert kinds(account) == {("m5.xlarge", A, "on-demand"): 2}
    assert "SpotMaxPriceTooLow" in str(state.notes)
    account.ec2.weather = Weather(spot_usd=0.04)
    account.down("ndvi")
    account.up(cluster(2, spot=True, max_price=0.05))
    assert kinds(account) == {("m5.xlarge", A, "spot"): 2}


def test_a_limit_of_spot_machines_is_the_regions_so_on_demand_is_next(account: Account) -> None:
    account.ec2.weather = Weather(spot_limit=0)
    zones = f'["{A}", "{B}"]'
    state = account.up(cluster(2, zones=zones, spot=True, or_on_demand=True))
    assert kinds(account) == {("m5.xlarge", A, "on-demand"): 2}
    assert tried(account) == [("m5.xlarge", True, 2), ("m5.xlarge", False, 2)]
    assert state.notes == (
        f"worker: no m5.xlarge spot in {A} (MaxSpotInstanceCountExceeded): "
        "trying m5.xlarge on demand",
    )


def test_a_limit_and_nothing_else_is_said_as_such(account: Account) -> None:
    account.ec2.weather = Weather(spot_limit=0)
    with pytest.raises(QuotaError, match="MaxSpotInstanceCountExceeded") as caught:
        account.up(cluster(2, spot=True))
    assert "servicequotas" in str(caught.value.next)


def test_some_room_and_no_more_names_how_many_are_missing(account: Account) -> None:
    account.ec2.weather = Weather(room={("m5.xlarge", A, "on-demand"): 3})
    with pytest.raises(CapacityError, match=r"no room for 2 of 5: room for 3 of 5 m5.xlarge"):
        account.up(cluster(5))
    account.settle()
    assert kinds(account) == {("m5.xlarge", A, "on-demand"): 3}
    account.ec2.weather = Weather()
    assert len(account.up(cluster(5)).instances) == 6
    account.settle()
    assert kinds(account) == {("m5.xlarge", A, "on-demand"): 5}


def test_the_head_stays_where_the_name_is(account: Account) -> None:
    """Its zone is full when it must be made again: that is said, and nothing is moved."""
    account.up(cluster(1, zones=f'["{B}", "{A}"]'))
    head = next(i for i in account.roost().observe("ndvi").instances if i.role == "head")
    account.client.terminate_instances(InstanceIds=[head.id])
    account.settle()
    account.ec2.weather = Weather(full=frozenset({("m5.large", B)}))
    with pytest.raises(CapacityError, match=f"m5.large in {B}") as caught:
        account.up(cluster(1, zones=f'["{B}", "{A}"]'))
    assert "roost park ndvi" in str(caught.value.next)
    assert "roost resize ndvi" in str(caught.value.next)


def test_a_type_that_is_none_is_refused(account: Account) -> None:
    with pytest.raises(CloudError, match=r"Invalid value .m9.huge. for InstanceType"):
        account.up(cluster(1, head=replace(SMALL, type="m9.huge")))


def test_what_the_spot_market_took_back_is_launched_again(account: Account) -> None:
    state = account.up(cluster(3, spot=True))
    ids = {i.name: i.id for i in state.instances}
    account.client.terminate_instances(InstanceIds=[ids["worker-2"]])
    account.settle()
    again = account.up(cluster(3, spot=True))
    assert {i.name for i in again.instances} == {"head", "worker-1", "worker-2", "worker-3"}
    assert kinds(account) == {("m5.xlarge", A, "spot"): 3}


def test_up_goes_on_with_enough_workers_and_fills_up_later(account: Account) -> None:
    account.ec2.weather = Weather(room={("m5.xlarge", A, "on-demand"): 3})
    quorum = Quorum({"worker": 3})
    wanted = cluster(5)
    with pytest.raises(PartlyUpError) as caught:
        reconcile(account.roost(), "ndvi", lambda have, _: plan_up(wanted, have), quorum=quorum)
    assert caught.value.what == (
        "ndvi is up without worker-4, worker-5: no room for 2 of 5: room for 3 of 5 "
        f"m5.xlarge in {A}"
    )
    assert [i.name for i in caught.value.state.instances if i.state == "running"] == [
        "head",
        "worker-1",
        "worker-2",
        "worker-3",
    ]
    account.ec2.weather = Weather()
    assert len(account.up(wanted).instances) == 6


# --- the image -----------------------------------------------------------------------------------


def test_a_burstable_type_is_asked_for_in_the_mode_that_estimates_count(account: Account) -> None:
    wanted = cluster(1, head=replace(SMALL, type="t3a.large"))
    account.up(wanted)
    asked = {one["InstanceType"]: one.get("CreditSpecification") for one in launches(account)}
    assert asked == {"t3a.large": {"CpuCredits": "unlimited"}, "m5.xlarge": None}


def test_ec2_looks_the_image_up_itself(account: Account) -> None:
    account.up(cluster(1))
    parameter = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
    assert {one["ImageId"] for one in launches(account)} == {f"resolve:ssm:{parameter}"}
    assert account.ec2.counted["DescribeImages"] == 0


def test_a_system_that_is_not_published_is_refused_before_anything_runs(account: Account) -> None:
    with pytest.raises(CloudError, match=r"ubuntu/server/19\.04"):
        account.up(cluster(1, head=replace(SMALL, image="ubuntu-19.04")))
    assert kinds(account, "head") == {}


def test_of_an_own_image_the_root_device_is_asked_for_once(account: Account) -> None:
    own = replace(SMALL, image="ami-12c6146b")
    account.up(cluster(2, head=own, image="ami-12c6146b"))
    assert account.ec2.counted["DescribeImages"] == 1
    (device,) = {one["BlockDeviceMappings"][0]["DeviceName"] for one in launches(account)}
    (image,) = account.client.describe_images(ImageIds=["ami-12c6146b"])["Images"]
    assert device == image["RootDeviceName"]


# --- the head's address --------------------------------------------------------------------------


def test_the_addresses_to_try_are_those_that_aws_leaves_free() -> None:
    for cidr, usable in (("10.1.2.0/28", 11), ("10.1.2.0/27", 20), ("172.31.0.0/20", 20)):
        found = list(private_addresses(cidr, "ndvi"))
        assert len(set(found)) == usable
        assert found == list(private_addresses(cidr, "ndvi"))
    small = set(private_addresses("10.1.2.0/28", "ndvi"))
    assert small == {f"10.1.2.{number}" for number in range(4, 15)}
    first = {next(private_addresses("172.31.0.0/20", f"name-{n}")) for n in range(50)}
    assert len(first) > 45


def told(account: Account, wanted: Wanted) -> tuple[State, list[tuple[str, str | None]]]:
    """What ``up`` hands to the machines: the first one's name, and the head's address."""
    heard: list[tuple[str, str | None]] = []

    def boot(
        record: str, nodes: str, first: Instance, head: str | None, devices: Sequence[str]
    ) -> bytes:
        assert (record, devices[0]) == (wanted.record, "/dev/sdf")
        assert nodes.startswith(first.name)
        heard.append((first.name, head))
        return f"#cloud-config\n# {head}\n".encode()

    roost = account.roost()
    roost.boot = boot
    state = reconcile(roost, wanted.name, lambda have, _: plan_up(wanted, have))
    return state, heard


def test_workers_know_the_head_before_it_runs(account: Account) -> None:
    state, heard = told(account, cluster(3))
    first = next(private_addresses("172.31.0.0/20", "ndvi"))
    assert heard == [("head", first), ("worker-1", first)]
    head = next(i for i in state.instances if i.role == "head")
    assert head.private == first
    # One after the other, with nothing waited for between them.
    launched = [n for n, name in enumerate(account.ec2.calls) if name == "RunInstances"]
    assert launched[1] == launched[0] + 1
    assert [one["UserData"] for one in launches(account)] == [
        f"#cloud-config\n# {first}\n".encode()
    ] * 2


def test_workers_of_later_are_told_the_address_that_the_head_has(account: Account) -> None:
    _, heard = told(account, cluster(1))
    _, later = told(account, cluster(3))
    assert later == [("worker-2", heard[0][1])]


def test_workers_wait_for_the_next_head_while_the_old_one_is_going(account: Account) -> None:
    state = account.up(cluster(2))
    ids = {i.name: i.id for i in state.instances}
    account.ec2.weather = Weather(delay=4)
    account.client.terminate_instances(InstanceIds=[ids["head"], ids["worker-1"]])
    first = next(private_addresses("172.31.0.0/20", "ndvi"))
    state, heard = told(account, cluster(2))
    # The old head was gone when the new one was launched, so its address was free again.
    assert heard == [("head", first), ("worker-1", first)]
    assert {i.name: i.state for i in state.instances} == {
        "head": "running",
        "worker-1": "running",
        "worker-2": "running",
    }


def test_an_address_that_is_taken_is_not_the_heads(account: Account) -> None:
    first, second, third = [*private_addresses("172.31.0.0/20", "ndvi")][:3]
    account.ec2.weather = Weather(taken=frozenset({first, second}))
    state, heard = told(account, cluster(1))
    assert [head for name, head in heard if name == "head"] == [first, second, third]
    assert heard[-1] == ("worker-1", third)
    assert next(i for i in state.instances if i.role == "head").private == third


def test_where_all_that_are_tried_are_taken_that_is_said(account: Account) -> None:
    account.ec2.weather = Weather(taken=frozenset(private_addresses("172.31.0.0/20", "ndvi")))
    with pytest.raises(CloudError, match=f"addresses tried for the head in {A} are all in use"):
        account.up(cluster(1))
    assert kinds(account) == {}


def test_machines_of_other_roles_get_any_address(account: Account) -> None:
    account.up(cluster(2))
    head, workers = launches(account)
    assert "PrivateIpAddress" in head["NetworkInterfaces"][0]
    assert "PrivateIpAddress" not in workers["NetworkInterfaces"][0]
    assert "UserData" not in head


# --- requests ------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [0, 1])
def test_ten_requests_for_a_cluster_of_any_size(account: Account, delay: int) -> None:
    account.ec2.weather = Weather(delay=delay)
    account.up(cluster(20))
    assert account.ec2.calls == [
        "DescribeTags",
        "CreateLaunchTemplate",
        "ImportKeyPair",
        "DescribeSubnets",
        "DescribeRouteTables",
        "CreateSecurityGroup",
        "AuthorizeSecurityGroupIngress",
        "RunInstances",
        "RunInstances",
        "DescribeInstances",
    ]


class Gone:
    """EC2 that refuses a call on instances of which one is gone, as EC2 does."""

    class exceptions:  # noqa: N801
        ClientError = ClientError

    def __init__(self, *gone: str) -> None:
        self.gone = gone
        self.asked: list[list[str]] = []

    def stop_instances(self, InstanceIds: list[str]) -> str:  # noqa: N803
        self.asked.append(InstanceIds)
        gone = [one for one in InstanceIds if one in self.gone]
        if gone:
            said = f"The instance IDs '{', '.join(gone)}' do not exist"
            error = {"Code": "InvalidInstanceID.NotFound", "Message": said}
            raise ClientError({"Error": error}, "StopInstances")
        return "stopped"


def test_the_others_are_stopped_where_one_is_gone() -> None:
    ec2 = Gone("i-0b", "i-0d")
    calls = Calls(ec2)
    found = calls.for_those_there(ec2.stop_instances, ["i-0a", "i-0b", "i-0c", "i-0d"])
    assert found == "stopped"
    assert ec2.asked == [["i-0a", "i-0b", "i-0c", "i-0d"], ["i-0a", "i-0c"]]
    assert calls.for_those_there(ec2.stop_instances, ["i-0b"]) is None
    assert calls.for_those_there(ec2.stop_instances, []) is None


def test_moto_names_those_that_are_gone_as_ec2_does(account: Account) -> None:
    with pytest.raises(ClientError) as caught:
        account.client.terminate_instances(InstanceIds=["i-0123456789abcdef0"])
    assert re.search(r"i-0123456789abcdef0", str(caught.value))


KMS = "Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state"


def test_a_machine_that_ends_while_it_starts_is_not_launched_again(account: Account) -> None:
    for reason, kind, mend in (
        (KMS, CloudError, "kms_key"),
        ("Client.InternalError: Client error on launch", CloudError, "kms_key"),
        ("Client.VolumeLimitExceeded: Volume limit exceeded", QuotaError, "servicequotas"),
    ):
        account.ec2.weather = Weather(deaths=[reason])
        launches = account.ec2.counted["RunInstances"]
        with pytest.raises(kind) as raised:
            account.up(DESKTOP)
        assert raised.value.what == f"desktop: EC2 ended it at once: {reason}"
        assert mend in str(raised.value.next)
        assert account.ec2.counted["RunInstances"] == launches + 1
    # EC2's own trouble may pass: another launch, and only one.
    account.ec2.weather = Weather(deaths=["Server.InternalError: Internal error on launch"])
    assert [i.state for i in account.up(DESKTOP).instances] == ["running"]
    account.stop("stars")
    account.settle()
    account.ec2.weather = Weather(deaths=[KMS])
    starts = account.ec2.counted["StartInstances"]
    with pytest.raises(CloudError, match=r"desktop: EC2 ended it at once: Client\.InvalidKMSKey"):
        account.up(DESKTOP)
    assert account.ec2.counted["StartInstances"] == starts + 1
    account.down("stars")
    account.ec2.weather = Weather(deaths=["Server.InternalError: no", "Server.InternalError: no"])
    with pytest.raises(CloudError, match="EC2 ended it at once"):
        account.up(DESKTOP)


def test_the_key_of_the_file_encrypts_all_disks_and_one_that_is_off_is_said(
    account: Account,
) -> None:
    key = '"aws": {"region": "eu-central-1", "kms_key": "alias/lab"}'
    record = f'{{"name": "stars", "kind": "desktop", {key}}}'
    wanted = replace(DESKTOP, record=record)
    account.ec2.key_states = {"alias/lab": "Disabled"}
    with pytest.raises(CloudError, match=r"InvalidKMSKey.InvalidState: alias/lab"):
        account.up(wanted)
    account.ec2.key_states.clear()
    account.up(wanted)
    asked = {
        name: one for name, one in account.ec2.asked if name in ("RunInstances", "CreateVolume")
    }
    assert asked["CreateVolume"]["KmsKeyId"] == "alias/lab"
    disk = asked["RunInstances"]["BlockDeviceMappings"][0]["Ebs"]
    assert (disk["KmsKeyId"], disk["Encrypted"]) == ("alias/lab", True)
