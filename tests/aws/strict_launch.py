"""What EC2 says to a launch: images by parameter, types, room, limits, private addresses.

Sources: EC2 API reference (RunInstances, "Error codes"), user guide ("Reference AMIs using Systems
Manager parameters"), VPC user guide ("Subnet CIDR blocks"). What it says of instance profiles is
from what its users were told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam import iam_backends

if TYPE_CHECKING:
    from tests.aws.strict import Weather

IMAGE = "ami-12c6146b"
"""One of the images that moto has: any system is this one."""
PARAMETERS = (
    r"/aws/service/canonical/ubuntu/server/(22|24)\.04/stable/current/(amd64|arm64)/hvm/"
    r"ebs-gp3/ami-id|/aws/service/debian/release/1[23]/latest/(amd64|arm64)"
)
"""The public parameters that are there."""
BURSTABLE = frozenset({"t2", "t3", "t3a", "t4g"})
Through = Callable[[str, Any], Any]


@dataclass(frozen=True)
class Launches:
    """Checks a launch, and says how many of it there will be."""

    weather: Weather
    types: frozenset[str]

    def granted(self, through: Through, asked: Any, seen: Callable[[Any], Any]) -> dict[str, Any]:
        """The call as moto understands it. ``seen`` gives an instance the state that EC2 shows."""
        face = asked["NetworkInterfaces"][0]
        (subnet,) = through("DescribeSubnets", {"SubnetIds": [face["SubnetId"]]})["Subnets"]
        image = self._image(asked["ImageId"])
        self._check_disk(image, asked)
        if asked["InstanceType"] not in self.types:
            kind = asked["InstanceType"]
            raise _refused("InvalidParameterValue", f"Invalid value '{kind}' for InstanceType.")
        if "CreditSpecification" in asked:
            self._check_credits(asked["InstanceType"], asked["CreditSpecification"])
        known = [seen(i) for i in _instances(through)]
        there = [i for i in known if i["State"]["Name"] != "terminated"]
        if "PrivateIpAddress" in face:
            self._check_address(face["PrivateIpAddress"], subnet, there, asked["MaxCount"])
        count = self._room(asked, subnet["AvailabilityZone"], there)
        # moto launches as few as it may, EC2 as many as it has. And it forgets the IOPS of the disk
        # that a machine boots from, and then misses them.
        (disk,) = asked["BlockDeviceMappings"]
        plain = {key: value for key, value in disk["Ebs"].items() if key != "Iops"}
        mapping = {**disk, "Ebs": {**plain, "VolumeType": "gp3"}}
        launched = {"ImageId": image, "MinCount": count, "MaxCount": count}
        return {**asked, **launched, "BlockDeviceMappings": [mapping]}

    def check_profile(self, asked: Any) -> None:
        """An instance profile is there, and has a role."""
        named = asked.get("IamInstanceProfile")
        if named is None:
            return
        ((key, value),) = named.items()
        found = profile(named)
        if found is None:
            what = f"Invalid IAM Instance Profile {'ARN' if key == 'Arn' else 'name'}"
            where = f"iamInstanceProfile.{key.lower()}"
            why = f"Value ({value}) for parameter {where} is invalid. {what}"
            raise _refused("InvalidParameterValue", why)
        if not found.roles:
            why = f'IAM Instance Profile "{found.arn}" has no associated IAM Roles'
            raise _refused("InvalidParameterValue", why)

    def _check_credits(self, kind: str, asked: Any) -> None:
        """Only burstable types have CPU credits."""
        if kind.partition(".")[0] not in BURSTABLE:
            why = f"CPU credits are not supported for instance type '{kind}'."
            raise _refused("InvalidParameterCombination", why)
        if asked["CpuCredits"] not in ("standard", "unlimited"):
            raise _refused("InvalidParameterValue", "CpuCredits is standard or unlimited.")

    def _check_disk(self, image: str, asked: Any) -> None:
        least = self.weather.image_gib.get(image, 0)
        check_boot_disk(asked["BlockDeviceMappings"][0]["Ebs"])
        if (size := asked["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"]) < least:
            why = f"Volume of size {size}GB is smaller than snapshot, expect size >= {least}GB"
            raise _refused("InvalidBlockDeviceMapping", why)

    def _image(self, image: str) -> str:
        if not image.startswith("resolve:ssm:"):
            return image
        parameter = image.removeprefix("resolve:ssm:")
        if not re.fullmatch(PARAMETERS, parameter):
            raise _refused("InvalidParameterValue", f"The parameter {parameter} cannot be found")
        return IMAGE

    def _room(self, asked: Any, zone: str, there: list[Any]) -> int:
        kind, spot = asked["InstanceType"], "InstanceMarketOptions" in asked
        market = "spot" if spot else "on-demand"
        if spot and self.weather.spot_limit is not None:
            have = sum(i.get("InstanceLifecycle") == "spot" for i in there)
            if have + asked["MinCount"] > self.weather.spot_limit:
                raise _refused("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
        most = asked.get("InstanceMarketOptions", {}).get("SpotOptions", {}).get("MaxPrice")
        if most is not None and float(most) < self.weather.spot_usd:
            why = f"Your Spot request price of {most} is lower than the minimum required"
            raise _refused("SpotMaxPriceTooLow", why)
        full = self.weather.full
        left = 0 if (kind, zone) in full or (kind, zone, market) in full else asked["MaxCount"]
        key = (kind, zone, market)
        if key in self.weather.room:
            left = min(left, self.weather.room[key])
        if left < asked["MinCount"]:
            raise _refused("InsufficientInstanceCapacity", f"We have no {kind} in {zone} now")
        if key in self.weather.room:
            self.weather.room[key] -= left
        return int(left)

    def _check_address(self, wanted: str, subnet: Any, there: list[Any], most: int) -> None:
        if most > 1:
            raise _refused("InvalidParameterCombination", "one private address, many instances")
        network = ip_network(subnet["CidrBlock"])
        if ip_address(wanted) not in network:
            raise _refused("InvalidParameterValue", "Address does not fall within the subnet")
        number = int(ip_address(wanted)) - int(network.network_address)
        if number < 4 or number == network.num_addresses - 1:
            raise _refused("InvalidParameterValue", "Address is in subnet's reserved range")
        used = {i.get("PrivateIpAddress") for i in there if i["SubnetId"] == subnet["SubnetId"]}
        if wanted in used | self.weather.taken:
            raise _refused("InvalidIPAddress.InUse", f"Address {wanted} is in use.")


def profile(named: dict[str, str]) -> Any | None:
    """moto's instance profile of a launch's ``IamInstanceProfile``."""
    known = iam_backends[DEFAULT_ACCOUNT_ID]["aws"].instance_profiles.values()
    mine = (p for p in known if p.arn == named.get("Arn") or p.name == named.get("Name"))
    return next(mine, None)


def _instances(through: Through) -> Iterator[Any]:
    """All that are on a subnet, also those that are gone and still described."""
    for reservation in through("DescribeInstances", {})["Reservations"]:
        for instance in reservation["Instances"]:
            if "SubnetId" in instance:
                yield instance


def _refused(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "RunInstances")


def check_boot_disk(disk: Any) -> None:
    """What boots, and which types have IOPS and throughput to choose, and how many for a GiB.

    Source: EC2 API reference, EbsBlockDevice; EBS user guide, "EBS volume types".
    """
    kind, iops = disk["VolumeType"], disk.get("Iops")
    if kind in ("st1", "sc1"):
        why = f"Volume type {kind} cannot be used as a boot volume"
        raise _refused("InvalidBlockDeviceMapping", why)
    ratio = {"gp3": 500, "io1": 50, "io2": 1000}
    if iops is not None and kind not in ratio:
        why = f"The parameter iops is not supported for {kind} volumes."
        raise _refused("InvalidParameterCombination", why)
    if iops is None and kind in ("io1", "io2"):
        why = f"The parameter iops must be specified for {kind} volumes."
        raise _refused("MissingParameter", why)
    least = 3000 if kind == "gp3" else 100
    if iops is not None and iops > max(least, ratio[kind] * disk["VolumeSize"]):
        why = f"Iops to volume size ratio is too high; maximum is {ratio[kind]}"
        raise _refused("InvalidParameterCombination", why)
    if "Throughput" in disk and kind != "gp3":
        why = f"The parameter throughput is not supported for {kind} volumes."
        raise _refused("InvalidParameterCombination", why)
