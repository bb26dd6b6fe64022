"""Specs and launches that the bench's own tests share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from roost.recipes.desktop import novnc
from roost.spec import Desktop, from_json
from tests.bench.bench import Bench, Machine, wait_for

CLASSROOM = """\
name = "room"
kind = "classroom"
cloud = "aws"
seats = 2

[aws]
region = "{region}"

[machine]
type = "t3.small"
image = "debian-12"
disk = "8GB"

[access]
ssh = ["{caller}"]
"""
DATA = """
[[volumes]]
name = "data"
size = "2GB"
park = "snapshot"
"""


def spec(bench: Bench, text: str) -> str:
    """The text of a file, with this bench's region and this computer's address.

    A seat is a desktop: what its packages are is in the image already, which is quicker.
    """
    if 'kind = "classroom"' in text:
        bench.debian(bench.layer("desktop", desktop_packages()))
    return text.format(region=bench.region, caller=bench.caller)


def desktop_packages() -> list[str]:
    """The packages of a Debian desktop by noVNC; the same ones for a seat."""
    found = from_json(
        '{"name": "a", "kind": "desktop", "cloud": "aws", "aws": {"region": "eu-central-1"},'
        ' "machine": {"type": "t3.medium", "image": "debian-12"}}'
    )
    assert isinstance(found, Desktop)
    return sorted({name for step in novnc.steps(found) for name in step.packages})


def room(bench: Bench, more: str = "") -> str:
    """A classroom of one seat, and more of the file."""
    return spec(bench, CLASSROOM.replace("seats = 2", "seats = 1") + more)


def group(bench: Bench, name: str = "bench") -> str:
    """A security group that lets this computer in by SSH."""
    vpc = bench.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    made = bench.ec2.create_security_group(GroupName=name, Description="a test", VpcId=vpc)
    bench.ec2.authorize_security_group_ingress(
        GroupId=made["GroupId"], IpPermissions=[permission(22, bench.caller)]
    )
    return str(made["GroupId"])


def permission(port: int, cidr: str) -> dict[str, Any]:
    """Who may enter by one TCP port."""
    who = {"IpRanges": [{"CidrIp": cidr}]}
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **who}


def launch(
    bench: Bench, count: int = 1, *, groups: Sequence[str] = (), zone: str = "a", **asked: Any
) -> list[Machine]:
    """Machines that have booted, by EC2's own call."""
    where = [{"Name": "availability-zone", "Values": [f"{bench.region}{zone}"]}]
    (subnet,) = bench.ec2.describe_subnets(Filters=where)["Subnets"]
    face = {
        "DeviceIndex": 0,
        "SubnetId": subnet["SubnetId"],
        "Groups": list(groups) or [group(bench)],
        "AssociatePublicIpAddress": True,
        "DeleteOnTermination": True,
    }
    words = {"ImageId": bench.image, "InstanceType": "t3.small", **asked}
    made = bench.ec2.run_instances(
        MinCount=count,
        MaxCount=count,
        NetworkInterfaces=[face],
        MetadataOptions={"HttpTokens": "required", "HttpEndpoint": "enabled"},
        **words,
    )
    machines = [bench.one(one["InstanceId"]) for one in made["Instances"]]
    for machine in machines:
        machine.wait("running")
        machine.booted()
    return machines


def volume(bench: Bench, gib: int = 1, zone: str = "a", **asked: Any) -> str:
    """A volume that is there."""
    made = bench.ec2.create_volume(
        AvailabilityZone=f"{bench.region}{zone}", Size=gib, VolumeType="gp3", **asked
    )
    one = str(made["VolumeId"])
    settled(bench, one, "available")
    return one


def settled(bench: Bench, one: str, state: str) -> None:
    """Wait for a volume, a snapshot or an image to be in a state."""
    ec2 = bench.ec2

    def now() -> str:
        if one.startswith("vol-"):
            return str(ec2.describe_volumes(VolumeIds=[one])["Volumes"][0]["State"])
        if one.startswith("snap-"):
            return str(ec2.describe_snapshots(SnapshotIds=[one])["Snapshots"][0]["State"])
        return str(ec2.describe_images(ImageIds=[one])["Images"][0]["State"])

    wait_for(lambda: now() == state, 60, f"{one} {state}")
