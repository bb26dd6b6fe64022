"""EC2 as moto has it, with machines behind it, and as strict as EC2 where roost relies on it.

Sources: EC2 API reference ("Error codes", "Ensuring idempotency"), EC2 user guide (instance
lifecycle). Every check here is one that moto does not make.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from moto.ec2.models.amis import Ami

from tests.aws.moto_account import let_out
from tests.aws.strict_images import GROUP_NAME
from tests.bench.disks import Image
from tests.bench.ebs import refused
from tests.bench.life import BenchLife
from tests.bench.network import Allowed

PARAMETER = "/aws/service/debian/release/12/latest/amd64"
DEBIAN = "136693071363"
"""The account that publishes Debian's images."""


class BenchEc2(BenchLife):
    """One region. ``asked`` has all parameters of the call that is answered now, by their names."""

    root_gib: ClassVar[int] = 8

    def __init__(self, region_name: str, account_id: str) -> None:
        self.keys: dict[str, str] = {}
        self.credentials: dict[str, Any] = {}
        self.parameters: dict[str, str] = {}
        super().__init__(region_name, account_id)
        if region_name == self.place:
            self._publish_debian()

    def _publish_debian(self) -> None:
        image = self.site.base.image
        self.add_image(image, "debian-12-amd64", Image((self.site.base.folder,)))
        self.parameters[PARAMETER] = image

    def add_image(self, one: str, name: str, content: Image) -> None:
        """An AMI of Debian's, public."""
        self.amis[one] = Ami(
            self,
            one,
            name=name,
            owner_id=DEBIAN,
            public=True,
            virtualization_type="hvm",
            architecture="x86_64",
            hypervisor="xen",
            root_device_name="/dev/xvda",
            root_device_type="ebs",
            boot_mode="uefi-preferred",
            region_name=f"{self.region_name}a",
        )
        self.amis[one].ebs_snapshot.volume.size = self.root_gib
        self.contents[one] = content

    def create_default_vpc(self) -> Any:
        """moto's, with the addresses that machines really have."""
        if self.region_name != self.place:
            return super().create_default_vpc()
        vpc = self.create_vpc(str(self.site.network.vpc), is_default=True)
        for zone in self.describe_availability_zones():
            self.create_default_subnet(zone.name)
        return let_out(self, vpc)

    # --- launches ---------------------------------------------------------------------------

    def run_instances(
        self, image_id: str, count: int, user_data: Any, security_group_names: Any, **kw: Any
    ) -> Any:
        """Machines that boot. As many as there is room for, of which there must be ``count``."""
        with self.lock:
            return self.once(
                "RunInstances",
                lambda: self._run(image_id, count, user_data, security_group_names, kw),
            )

    def _run(self, image_id: str, count: int, user_data: Any, groups: Any, kw: Any) -> Any:
        if self.region_name != self.place:
            raise refused("Unsupported", f"the bench has machines in {self.place} only")
        image = self.resolved(image_id)
        self.type_of(kw["instance_type"])
        most = int(self.asked.get("MaxCount", count))
        faces = kw.get("nics") or [{}]
        if "SubnetId" not in faces[0] and not kw.get("subnet_id"):
            kw["subnet_id"] = next(iter(self.get_default_subnets().values())).id
        subnet = self.get_subnet(faces[0].get("SubnetId") or kw["subnet_id"])
        self._check_address(faces[0].get("PrivateIpAddress"), subnet, most)
        most = self._room(kw["instance_type"], subnet.availability_zone, count, most)
        self._check_disks(image)
        self._with_root(image, kw)
        made = super().run_instances(image, most, user_data, groups, **kw)
        for instance in made.instances:
            self.booted[instance.id] = self.contents[image]
            instance.security_groups = list(instance.nics[0].group_set)
            if instance.key_name:
                (key,) = self.describe_key_pairs([instance.key_name])
                self.keys[instance.id] = key.public_key
            self.to(instance, "pending")
            self.later(self._boot, instance)
        return made

    def resolved(self, image: str) -> str:
        """The id of an image that is there, also by a public parameter."""
        if image.startswith("resolve:ssm:"):
            parameter = image.removeprefix("resolve:ssm:")
            if parameter not in self.parameters:
                raise refused("InvalidParameterValue", f"parameter {parameter} cannot be found")
            image = self.parameters[parameter]
        if image not in self.amis:
            raise refused("InvalidAMIID.NotFound", f"The image id '[{image}]' does not exist")
        if self.amis[image].state != "available" or image not in self.contents:
            raise refused("InvalidAMIID.Unavailable", f"image {image} is not available")
        return image

    def _room(self, kind: str, zone: str, least: int, most: int) -> int:
        """How many there is room for; one by one less, where a test has said how much there is."""
        left = min(most, self.room.get((kind, zone), most))
        if left < least:
            raise refused("InsufficientInstanceCapacity", f"we have no {kind} in {zone} now")
        if (kind, zone) in self.room:
            self.room[kind, zone] -= left
        return left

    def _check_address(self, wanted: str | None, subnet: Any, most: int) -> None:
        if wanted is None:
            return
        if most > 1:
            raise refused("InvalidParameterCombination", "one private address, many instances")
        if wanted in {str(address) for address in subnet._subnet_ips}:
            raise refused("InvalidIPAddress.InUse", f"Address {wanted} is in use.")

    def _check_disks(self, image: str) -> None:
        needed = self.amis[image].ebs_snapshot.volume.size
        for mapping in self.asked.get("BlockDeviceMappings", ()):
            size = mapping.get("Ebs", {}).get("VolumeSize")
            root = mapping["DeviceName"] == self.amis[image].root_device_name
            if root and size is not None and int(size) < needed:
                raise refused("InvalidBlockDeviceMapping", "smaller than the snapshot")

    def _with_root(self, image: str, kw: Any) -> None:
        """What is not said of the disk is as the image has it."""
        device = self.amis[image].root_device_name
        said = list(kw.get("block_device_mappings") or ())
        if device not in {mapping["DeviceName"] for mapping in said}:
            said.append({"DeviceName": device, "Ebs": {"DeleteOnTermination": True}})
        for mapping in said:
            if mapping["DeviceName"] == device:
                mapping["Ebs"].setdefault("VolumeSize", self.amis[image].ebs_snapshot.volume.size)
        kw["block_device_mappings"] = said

    # --- attributes -------------------------------------------------------------------------

    def modify_instance_attribute(self, instance_id: str, key: str, value: Any) -> Any:
        """Another type only of what is stopped, and only one that there is."""
        if key == "instance_type":
            state = self.get_instance(instance_id).state
            if state != "stopped":
                raise refused("IncorrectInstanceState", f"{instance_id} is {state}")
            self.type_of(value)
        return super().modify_instance_attribute(instance_id, key, value)

    def role_of(self, instance: Any) -> str | None:
        """The role whose credentials the instance has."""
        found = self.iam_instance_profile_associations.get(instance.id)
        roles = found.iam_instance_profile.roles if found is not None else []
        return str(roles[0].arn) if roles else None

    # --- who may enter ----------------------------------------------------------------------

    def refresh(self) -> None:
        """Firewalls and public addresses as they are now."""
        if self.region_name != self.place:
            return
        live: list[Any] = [i for i in self.all_instances() if i.state in ("pending", "running")]
        members: dict[str, list[str]] = {}
        for one in live:
            for group in one.nics[0].group_set:
                members.setdefault(group.id, []).append(one.private_ip)
        allowed = {
            one.private_ip: tuple(
                rule for group in one.nics[0].group_set for rule in allowances(group, members)
            )
            for one in live
        }
        self.site.network.allow(allowed)
        self.site.network.publish(
            {one.nics[0].public_ip: one.private_ip for one in live if one.nics[0].public_ip}
        )

    def authorize_security_group_ingress(self, *args: Any, **kw: Any) -> Any:
        """moto's, and machines hear of it."""
        answer = super().authorize_security_group_ingress(*args, **kw)
        self.refresh()
        return answer

    def revoke_security_group_ingress(self, *args: Any, **kw: Any) -> Any:
        """moto's, and machines hear of it."""
        answer = super().revoke_security_group_ingress(*args, **kw)
        self.refresh()
        return answer

    def delete_security_group(self, name: Any = None, group_id: Any = None) -> Any:
        """Not while anybody is in it, nor while a rule of another group references it."""
        for other in self.describe_security_groups():
            pairs = [rule.source_group for rule in other.ingress_rules if rule.source_group]
            if other.id != group_id and group_id in {pair.get("GroupId") for pair in pairs}:
                raise refused("DependencyViolation", f"{group_id} has a dependent object")
        for one in self.all_instances():
            groups = {group.id for nic in one.nics.values() for group in nic.group_set}
            if group_id in groups and one.state != "terminated":
                raise refused("DependencyViolation", f"{group_id} has a dependent object")
        return super().delete_security_group(name, group_id)

    def create_security_group(self, name: str, description: str, *args: Any, **kw: Any) -> Any:
        """Only with the characters that EC2 takes."""
        for text in (name, description):
            if not re.fullmatch(GROUP_NAME, text) or text.startswith("sg-"):
                raise refused("InvalidParameterValue", f"invalid characters: {text}")
        return super().create_security_group(name, description, *args, **kw)

    def release_address(self, address: Any = None, allocation_id: Any = None) -> Any:
        """Not from an instance that is there."""
        for one in self.addresses:
            held = one.instance if one.allocation_id == allocation_id else None
            if held is not None and held.state not in ("terminated", "shutting-down"):
                raise refused("InvalidIPAddress.InUse", f"{one.public_ip} is in use by {held.id}")
        return super().release_address(address, allocation_id)

    def associate_address(self, instance: Any = None, *args: Any, **kw: Any) -> Any:
        """Only with what runs or is stopped."""
        if instance is not None and instance.state not in ("running", "stopped"):
            raise refused("IncorrectInstanceState", f"{instance.id} is {instance.state}")
        answer = super().associate_address(instance, *args, **kw)
        self.refresh()
        return answer

    def disassociate_address(self, *args: Any, **kw: Any) -> Any:
        """moto's, and machines hear of it."""
        answer = super().disassociate_address(*args, **kw)
        self.refresh()
        return answer


def allowances(group: Any, members: dict[str, list[str]]) -> Iterable[Allowed]:
    """What a security group lets in. ``members`` are the addresses of every group's machines."""
    for rule in group.ingress_rules:
        source = rule.source_group.get("GroupId") if rule.source_group else None
        cidr = rule.ip_range.get("CidrIp")
        sources = tuple(members.get(source, ())) if source else ((cidr,) if cidr else ())
        protocol = None if rule.ip_protocol == "-1" else rule.ip_protocol
        ranged = protocol in ("tcp", "udp")
        yield Allowed(sources, protocol, (rule.from_port, rule.to_port) if ranged else None)
