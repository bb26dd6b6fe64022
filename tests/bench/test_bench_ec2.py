"""The bench under EC2's own calls: power, status, firewalls, roles, and what EC2 refuses."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.bench.bench import Bench, missing, wait_for
from tests.bench.disks import loops_below
from tests.bench.groups import members
from tests.bench.network import cables
from tests.bench.places import run
from tests.bench.seats import group, launch, permission, settled, volume
from tests.bench.sweep import sweep

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
DEBIAN = "resolve:ssm:/aws/service/debian/release/12/latest/amd64"


def refused(code: str, call: Callable[..., Any], **asked: Any) -> None:
    with pytest.raises(ClientError) as raised:
        call(**asked)
    assert raised.value.response["Error"]["Code"] == code


def status(bench: Bench, one: str) -> str:
    answer = bench.ec2.describe_instance_status(InstanceIds=[one], IncludeAllInstances=True)
    return str(answer["InstanceStatuses"][0]["InstanceStatus"]["Status"])


def opens(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=2):
            return True
    except OSError:
        return False


def test_status_checks_follow_sshd(bench: Bench) -> None:
    (machine,) = launch(bench)
    wait_for(lambda: status(bench, machine.id) == "ok", 30, "ok")
    machine.run("systemctl", "stop", "ssh").ok()
    assert status(bench, machine.id) == "initializing"
    machine.run("systemctl", "start", "ssh").ok()
    wait_for(lambda: status(bench, machine.id) == "ok", 30, "ok again")
    bench.ec2.stop_instances(InstanceIds=[machine.id])
    machine.wait("stopped")
    assert status(bench, machine.id) == "not-applicable"


@pytest.mark.parametrize(("behaviour", "state"), [("stop", "stopped"), ("terminate", "terminated")])
def test_a_machine_that_switches_itself_off(bench: Bench, behaviour: str, state: str) -> None:
    (machine,) = launch(bench, InstanceInitiatedShutdownBehavior=behaviour)
    machine.run("systemctl", "poweroff", "--no-block")
    machine.wait(state)
    reason = machine.described["StateReason"]["Code"]
    assert reason == "Client.InstanceInitiatedShutdown"


@pytest.mark.parametrize("by", ["itself", "EC2"])
def test_a_reboot_is_a_new_boot_of_the_same_machine(bench: Bench, by: str) -> None:
    (machine,) = launch(bench)
    boot = machine.run("cat", "/proc/self/mountinfo").ok()  # its own folders
    machine.shell("echo kept > /root/kept").ok()
    leader = machine.leader
    if by == "EC2":
        bench.ec2.reboot_instances(InstanceIds=[machine.id])
    else:
        machine.run("systemctl", "reboot", "--no-block")
    wait_for(lambda: machine.leader not in (None, leader), 60, "another first process")
    machine.booted()
    assert machine.run("cat", "/root/kept").ok().out == "kept\n"
    assert machine.state == "running"
    assert boot.out


def test_a_firewall_lets_in_whom_it_names(bench: Bench) -> None:
    ssh = group(bench)
    one, other = launch(bench, 2, groups=[ssh])
    for machine in (one, other):
        machine.shell("systemd-run --unit=page python3 -m http.server 8000").ok()
        wait_for(lambda m=machine: m.shell("ss -ltn | grep -q :8000").code == 0, 30, "a page")
    public = one.described["PublicIpAddress"]
    assert opens(public, 22)
    assert opens(one.private, 22)
    assert not opens(public, 8000)
    ask = f"curl -s -m 3 -o /dev/null http://{one.private}:8000/"
    assert other.shell(ask).code != 0

    pairs = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": ssh}]}]
    bench.ec2.authorize_security_group_ingress(GroupId=ssh, IpPermissions=pairs)
    assert other.shell(ask).code == 0
    assert not opens(public, 8000)
    mine = [permission(8000, bench.caller)]
    bench.ec2.authorize_security_group_ingress(GroupId=ssh, IpPermissions=mine)
    assert opens(public, 8000)
    bench.ec2.revoke_security_group_ingress(GroupId=ssh, IpPermissions=mine)
    assert not opens(public, 8000)


def test_an_elastic_address_follows_its_machine(bench: Bench) -> None:
    (machine,) = launch(bench)
    found = bench.ec2.allocate_address(Domain="vpc")
    bench.ec2.associate_address(AllocationId=found["AllocationId"], InstanceId=machine.id)
    assert opens(found["PublicIp"], 22)
    refused(
        "InvalidIPAddress.InUse",
        bench.ec2.release_address,
        AllocationId=found["AllocationId"],
    )
    bench.ec2.stop_instances(InstanceIds=[machine.id])
    machine.wait("stopped")
    bench.ec2.start_instances(InstanceIds=[machine.id])
    machine.wait("running")
    assert machine.described["PublicIpAddress"] == found["PublicIp"]
    wait_for(lambda: opens(found["PublicIp"], 22), 60, "sshd")


def test_machines_know_each_other_by_name(bench: Bench) -> None:
    one, other = launch(bench, 2)
    name = other.described["PrivateDnsName"]
    assert name.startswith("ip-10-")
    host = f"ip-{other.private.replace('.', '-')}"
    assert one.run("getent", "ahostsv4", host).ok().out.split()[0] == other.private
    full = f"{host}.{bench.region}.compute.internal"
    assert one.run("getent", "ahostsv4", full).ok().out.split()[0] == other.private
    nobody = one.run("getent", "ahostsv4", f"ip-10-1-2-3.{bench.region}.compute.internal")
    assert nobody.code == 2


METADATA = """
token=$(curl -s -f -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' {at}/api/token)
curl -s -f -H "X-aws-ec2-metadata-token: $token" {at}/meta-data/{path}
"""


def test_a_role_gives_the_machine_credentials(bench: Bench) -> None:
    iam = bench.client("iam")
    iam.create_role(RoleName="reader", AssumeRolePolicyDocument="{}")
    iam.create_instance_profile(InstanceProfileName="reader")
    iam.add_role_to_instance_profile(InstanceProfileName="reader", RoleName="reader")
    (machine,) = launch(bench, IamInstanceProfile={"Name": "reader"})
    at = "http://169.254.169.254/latest"
    path = "iam/security-credentials/"
    assert machine.shell(METADATA.format(at=at, path=path)).ok().out.strip() == "reader"
    found = json.loads(machine.shell(METADATA.format(at=at, path=f"{path}reader")).ok().out)
    assert found["Code"] == "Success"
    assert found["AccessKeyId"].startswith("ASIA")
    assert machine.run("curl", "-s", "-f", f"{at}/meta-data/instance-id").code != 0  # no token
    # The machine reaches this EC2 at the address in its environment.
    asked = machine.shell(
        ". /etc/environment; curl -s -o /dev/null -w '%{http_code}' $AWS_ENDPOINT_URL"
    )
    assert asked.ok().out != "000"


def test_a_launch_is_repeated_by_its_token(bench: Bench) -> None:
    ssh = group(bench)
    asked = {"ImageId": DEBIAN, "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 2}
    asked |= {"SecurityGroupIds": [ssh], "ClientToken": "once"}
    first = bench.ec2.run_instances(**asked)["Instances"]
    again = bench.ec2.run_instances(**asked)["Instances"]
    assert [i["InstanceId"] for i in first] == [i["InstanceId"] for i in again]
    assert [i["State"]["Name"] for i in first] == ["pending", "pending"]
    other = {**asked, "InstanceType": "t3.medium"}
    refused("IdempotentParameterMismatch", bench.ec2.run_instances, **other)


def test_as_many_as_there_is_room_for(bench: Bench) -> None:
    bench.room("t3.small", f"{bench.region}a", 1)
    ssh = group(bench)
    asked = {"ImageId": DEBIAN, "InstanceType": "t3.small", "SecurityGroupIds": [ssh]}
    made = bench.ec2.run_instances(**asked, MinCount=1, MaxCount=3)["Instances"]
    assert len(made) == 1
    full = "InsufficientInstanceCapacity"
    refused(full, bench.ec2.run_instances, **asked, MinCount=1, MaxCount=1)


def test_what_ec2_refuses_is_refused(bench: Bench) -> None:
    ec2 = bench.ec2
    (machine,) = launch(bench)
    here = {"InstanceId": machine.id, "Device": "/dev/sdf"}
    refused(
        "IncorrectInstanceState",
        ec2.modify_instance_attribute,
        InstanceId=machine.id,
        InstanceType={"Value": "t3.medium"},
    )
    elsewhere = volume(bench, zone="b")
    refused("InvalidVolume.ZoneMismatch", ec2.attach_volume, VolumeId=elsewhere, **here)
    made = ec2.create_volume(AvailabilityZone=f"{bench.region}a", Size=1)
    assert made["State"] == "creating"
    refused("IncorrectState", ec2.attach_volume, VolumeId=made["VolumeId"], **here)
    settled(bench, made["VolumeId"], "available")
    ec2.attach_volume(VolumeId=made["VolumeId"], **here)
    second = volume(bench)
    refused("InvalidParameterValue", ec2.attach_volume, VolumeId=second, **here)
    refused("VolumeInUse", ec2.delete_volume, VolumeId=made["VolumeId"])
    refused("InvalidParameterValue", ec2.modify_volume, VolumeId=elsewhere, Size=0)
    refused("IncorrectInstanceState", ec2.create_image, InstanceId=machine.id, Name="running")
    groups = machine.described["SecurityGroups"]
    refused("DependencyViolation", ec2.delete_security_group, GroupId=groups[0]["GroupId"])
    asked = {"InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1}
    refused("InvalidAMIID.NotFound", ec2.run_instances, ImageId="ami-0123456789abcdef0", **asked)
    ubuntu = DEBIAN.replace("debian/release/12", "debian/release/1")
    refused("InvalidParameterValue", ec2.run_instances, ImageId=ubuntu, **asked)
    asked["InstanceType"] = "t3.enormous"
    refused("InvalidParameterValue", ec2.run_instances, ImageId=DEBIAN, **asked)
    face = [{"DeviceIndex": 0, "PrivateIpAddress": machine.private}]
    face[0]["SubnetId"] = machine.described["SubnetId"]
    asked |= {"InstanceType": "t3.small", "NetworkInterfaces": face}
    refused("InvalidIPAddress.InUse", ec2.run_instances, ImageId=DEBIAN, **asked)


def test_a_spot_machine_cannot_be_stopped(bench: Bench) -> None:
    (machine,) = launch(bench, InstanceMarketOptions={"MarketType": "spot"})
    assert machine.described["InstanceLifecycle"] == "spot"
    refused("UnsupportedOperation", bench.ec2.stop_instances, InstanceIds=[machine.id])
    bench.ec2.terminate_instances(InstanceIds=[machine.id])
    assert machine.state == "shutting-down"
    machine.wait("terminated")
    assert bench.left() == {}


def test_a_spot_machine_is_told_of_its_end(bench: Bench) -> None:
    (machine,) = launch(bench, InstanceMarketOptions={"MarketType": "spot"})
    at = "http://169.254.169.254/latest"
    action = METADATA.format(at=at, path="spot/instance-action")
    rebalance = METADATA.format(at=at, path="events/recommendations/rebalance")
    assert machine.shell(action).code != 0
    assert machine.shell(rebalance).code != 0
    machine.recommend()
    assert "noticeTime" in machine.shell(rebalance).ok().out
    assert machine.shell(action).code != 0
    machine.take_back(5)
    assert json.loads(machine.shell(action).ok().out)["action"] == "terminate"
    machine.wait("terminated")
    assert machine.described["StateReason"]["Code"] == "Server.SpotInstanceTermination"


def test_what_a_killed_bench_leaves_is_swept_away() -> None:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    killed = Bench.start()
    assert killed.process is not None
    launch(killed)
    group_name, link = killed.facts["group"], f"rb{killed.facts['network']}"
    killed.process.kill()
    killed.process.wait()
    assert members(group_name)
    assert cables(link)
    sweep()
    assert members(group_name) == []
    assert cables(link) == []
    assert loops_below(killed.place) == []
    assert not killed.place.exists()
    assert link not in run("ip", "link", "show")
    assert killed.facts["caller"].split("/")[0] not in run("ip", "route", "show", "table", "all")
