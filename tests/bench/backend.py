"""EC2 as moto has it, with machines behind it, and as strict as EC2 where roost relies on it.

Sources: EC2 API reference ("Error codes", "Ensuring idempotency"), EC2 user guide (instance
lifecycle). Every check here is one that moto does not make.
"""

from __future__ import annotations

import copy
import re
import threading
import time
from collections.abc import Iterable
from typing import Any, ClassVar

from moto.core.utils import utcnow
from moto.ec2.models.amis import Ami
from moto.ec2.models.instances import Instance

from tests.aws.strict_images import GROUP_NAME
from tests.bench.disks import Image
from tests.bench.ebs import MOMENT, BenchEbs, refused
from tests.bench.network import Allowed
from tests.bench.site import Order
from tests.bench.tree import metadata

PARAMETER = "/aws/service/debian/release/12/latest/amd64"
DEBIAN = "136693071363"
"""The account that publishes Debian's images."""
CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48}
CODES |= {"stopping": 64, "stopped": 80}
BEGINNING = 120
"""So many seconds a machine may take before its status checks have failed."""


class BenchEc2(BenchEbs):
    """One region. ``asked`` has all parameters of the call that is answered now, by their names."""

    root_gib: ClassVar[int] = 8

    def __init__(self, region_name: str, account_id: str) -> None:
        self.keys: dict[str, str] = {}
        self.credentials: dict[str, Any] = {}
        self.busy: dict[str, threading.Lock] = {}
        self.parameters: dict[str, str] = {}
        self.room: dict[tuple[str, str], int] = {}
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
        return vpc

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

    def type_of(self, name: str) -> dict[str, Any]:
        """What EC2 describes of an instance type."""
        found: list[Any] = list(self.describe_instance_types(filters={"instance-type": [name]}))
        if not found:
            raise refused("InvalidParameterValue", f"Invalid value '{name}' for InstanceType.")
        return dict(found[0])

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

    # --- states -----------------------------------------------------------------------------

    def to(self, instance: Any, state: str) -> None:
        """The instance is in that state now."""
        instance._state.name, instance._state.code = state, CODES[state]

    def _alone(self, instance: Any) -> threading.Lock:
        """What boots a machine and what ends it wait for each other."""
        return self.busy.setdefault(instance.id, threading.Lock())

    def _boot(self, instance: Any) -> None:
        with self._alone(instance):
            if instance.state in ("pending", "running"):  # nobody has ended it meanwhile
                self._booted(instance)

    def _booted(self, instance: Any) -> None:
        began = time.monotonic()
        kind = self.type_of(instance.instance_type)
        order = Order(
            id=instance.id,
            private=instance.private_ip,
            image=self.booted[instance.id],
            memory=kind["MemoryInfo"]["SizeInMiB"] * 2**20,
            cpus=kind["VCpuInfo"]["DefaultVCpus"],
            tree=lambda: metadata(self, instance),
            strict=lambda: instance.metadata_options.http_tokens == "required",
            ended=lambda how: self.later(self._ended, instance, how),
        )
        try:
            self.site.boot(order, self.attached(instance))
        except Exception:
            instance.state_reason.code = "Server.InternalError"
            instance.state_reason.message = "Server.InternalError: it did not start"
            self._end(instance)
            raise
        time.sleep(max(0.0, MOMENT - (time.monotonic() - began)))
        with self.lock:
            if instance.state == "pending":
                self.to(instance, "running")
            self.refresh()

    def _ended(self, instance: Any, how: str) -> None:
        """Its first process is gone: it rebooted, or it switched itself off."""
        if how == "reboot" and instance.state in ("running", "pending"):
            self.site.shares.ended(instance.id)
            self._boot(instance)
            return
        with self.lock:
            if instance.state not in ("running", "pending"):
                return  # it was asked to, and who asked waits for it
            ends = instance.instance_initiated_shutdown_behavior == "terminate"
            self.to(instance, "shutting-down" if ends else "stopping")
        why = "Client.InstanceInitiatedShutdown"
        if ends:
            self._terminated(instance)
        else:
            self._stopped(instance)
        instance.state_reason.code = why
        instance.state_reason.message = f"{why}: Instance initiated shutdown"

    def _stopped(self, instance: Any) -> None:
        with self._alone(instance):
            self.site.off(instance.id)
            for volume in self.data_of(instance):
                self.site.disks.release(volume)
            with self.lock:
                if instance.state == "stopping":  # and not ended meanwhile
                    Instance.stop(instance)
                self.refresh()

    def _terminated(self, instance: Any) -> None:
        with self._alone(instance):
            self._end(instance)

    def _end(self, instance: Any) -> None:
        self.site.destroy(instance.id)
        volumes = {m.volume_id: m.delete_on_termination for m in self.mappings(instance).values()}
        with self.lock:
            for address in self.addresses:  # EC2 takes it back; moto does not
                if address.instance is not None and address.instance.id == instance.id:
                    address.instance = address.eni = address.association_id = None
            reason = copy.copy(instance.state_reason)
            Instance.terminate(instance)
            if reason.code:
                instance.state_reason = reason
            for volume, gone in volumes.items():
                self.site.disks.delete(volume) if gone else self.site.disks.release(volume)
            self.booted.pop(instance.id, None)
            self.refresh()

    def reachability(self, instance: Any) -> tuple[str, str]:
        """The two words of a status check; two minutes are given to a machine that begins."""
        if self.site.answers(instance.id):
            return "ok", "passed"
        young = (utcnow() - instance.launch_time).total_seconds() < BEGINNING
        return ("initializing", "initializing") if young else ("impaired", "failed")

    # --- power ------------------------------------------------------------------------------

    def start_instances(self, instance_ids: list[str]) -> Any:
        """Only what is stopped, and where there is room."""
        with self.lock:
            found = self.get_multi_instances_by_id(instance_ids)
            for one in found:
                if one.state not in ("stopped", "running", "pending"):
                    raise refused("IncorrectInstanceState", f"{one.id} is {one.state}")
                if self.room.get((one.instance_type, str(one.placement.zone))) == 0:
                    raise refused("InsufficientInstanceCapacity", "we have none now")
            before = [(one, copy.copy(one._state)) for one in found]
            for one, state in before:
                if state.name == "stopped":
                    one.start()  # moto's: a new public address
                    self._keep_address(one)
                    one.launch_time = utcnow()
                    self.to(one, "pending")
                    self.later(self._boot, one)
            return before

    def _keep_address(self, instance: Any) -> None:
        """An Elastic IP stays through stop and start; moto gives another address."""
        for address in self.addresses:
            held: Any = address.instance
            if held is instance:
                instance.nics[0].public_ip = address.public_ip

    def stop_instances(self, instance_ids: list[str]) -> Any:
        """Not spot machines, and nothing that is only beginning."""
        with self.lock:
            found = self.get_multi_instances_by_id(instance_ids)
            for one in found:
                if one.lifecycle == "spot":
                    raise refused("UnsupportedOperation", "a one-time spot instance")
                if one.state not in ("running", "stopping", "stopped"):
                    raise refused("IncorrectInstanceState", f"{one.id} is {one.state}")
            before = [(one, copy.copy(one._state)) for one in found]
            for one, state in before:
                if state.name == "running":
                    self.to(one, "stopping")
                    self.later(self._stopped, one)
            return before

    def terminate_instances(self, instance_ids: list[str]) -> Any:
        """Their disks go with them, data volumes are free again when they are gone."""
        with self.lock:
            found = self.get_multi_instances_by_id(instance_ids)
            for one in found:
                if one.disable_api_termination is True:
                    raise refused("OperationNotPermitted", f"{one.id} is protected")
            before = [(one, copy.copy(one._state)) for one in found]
            for one, state in before:
                if state.name not in ("terminated", "shutting-down"):
                    self.to(one, "shutting-down")
                    self.later(self._terminated, one)
            return before

    def reboot_instances(self, instance_ids: list[str]) -> Any:
        """As with Ctrl-Alt-Del."""
        found = self.get_multi_instances_by_id(instance_ids)
        for one in found:
            if one.state != "running":
                raise refused("IncorrectInstanceState", f"{one.id} is {one.state}")
        for one in found:
            self.site.machines[one.id].reboot()
        return found

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
        """Not while anybody is in it."""
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
