"""Making things on EC2: every one is tagged by the call that makes it, and made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from roost.clouds.aws import nouns, requests, tags
from roost.clouds.aws.calls import Calls
from roost.clouds.aws.failures import code_of, translated
from roost.clouds.aws.images import image_source
from roost.clouds.aws.memory import Memory
from roost.clouds.aws.network import Network
from roost.errors import CapacityError, CloudError, ThrottledError
from roost.plan.resources import Address, Instance, KeyPair, Resource, SecurityGroup, Volume

if TYPE_CHECKING:
    from collections.abc import Iterable


OLD = timedelta(minutes=10)
"""What was made that long ago is not what was just asked for."""
MOST_SALTS = 20


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes the resources of one name.

    ``users`` are the user's own tags; ``images`` the AMIs looked up so far, by system and
    architecture.
    """

    calls: Calls
    ssm: Any
    images: dict[tuple[str, str], tuple[str, str]]
    memory: Memory
    name: str
    network: Callable[[], Network]
    caller: Callable[[], str]
    public_key: Callable[[], bytes]
    clock: Callable[[], float]
    wall: Callable[[], datetime]
    users: Mapping[str, str]

    def make(self, resources: tuple[Resource, ...]) -> None:
        """All of them; instances of a batch in one launch."""
        instances = tuple(r for r in resources if isinstance(r, Instance))
        if instances:
            self.launch(instances)
        for resource in resources:
            match resource:
                case KeyPair():
                    self.key_pair(resource)
                case SecurityGroup():
                    self.security_group(resource)
                case Volume():
                    self.volume(resource)
                case Address():
                    self.address(resource)

    def _made(self, resource: Resource, ec2_id: str) -> None:
        self.memory.remember_made(resource, ec2_id, self.clock())

    def key_pair(self, key: KeyPair) -> None:
        """The user's public key; the private one never leaves the user's computer."""
        found = tags.tags(self.name, key.name, {}, self.users)
        self.calls.unless_there(
            self.calls.ec2.import_key_pair,
            KeyName=requests.key_name(self.name),
            PublicKeyMaterial=self.public_key(),
            TagSpecifications=[tags.specification("key-pair", found)],
        )
        self._made(key, key.name)

    def security_group(self, group: SecurityGroup) -> None:
        """Make the firewall if it is missing, and let in who is missing in it."""
        vpc = self.network().vpc
        asked = requests.create_security_group(self.name, group.name, vpc, self.users)
        made = self.calls.unless_there(self.calls.ec2.create_security_group, **asked)
        if made is not None:
            group_id, missing, own = made["GroupId"], list(group.rules), True
        else:
            found = self._found_group(asked["GroupName"], vpc)
            group_id = found["GroupId"]
            (have,) = nouns.security_groups([found], self.caller())
            missing = [rule for rule in group.rules if rule not in have.rules]
            own = not any(p.get("UserIdGroupPairs") for p in found.get("IpPermissions", ()))
        if missing or own:
            caller = self.caller() if any(r.source == "caller" for r in missing) else ""
            self.calls.unless_there(
                self.calls.ec2.authorize_security_group_ingress,
                **requests.authorize(group_id, missing, caller, own=own),
            )
        self.memory.described.pop("security-group", None)
        self._made(group, group_id)

    def _found_group(self, name: str, vpc: str) -> dict[str, Any]:
        where = [
            {"Name": "group-name", "Values": [name]},
            {"Name": "vpc-id", "Values": [vpc]},
        ]
        found = self.calls.every("describe_security_groups", "SecurityGroups", Filters=where)
        if not found:
            # The loop waits, and tries again.
            raise ThrottledError(f"the security group {name} exists and cannot be seen yet")
        group: dict[str, Any] = found[0]
        return group

    def volume(self, volume: Volume) -> None:
        """In the zone where the name's machines are."""
        zone = self.memory.zone or self.network().zones[0]
        group = self.memory.ids["security-group", self.name]

        def once(salt: int) -> dict[str, Any]:
            asked = requests.create_volume(self.name, volume, zone, self.users, group, salt)
            made: dict[str, Any] = self.calls.ec2.create_volume(**asked)
            return made

        made = self._new(once, "CreateTime", lambda answer: [answer])
        self.memory.zone = zone
        self._made(replace(volume, id=made["VolumeId"], state="creating"), made["VolumeId"])

    def _new(
        self,
        once: Callable[[int], dict[str, Any]],
        time: str,
        things: Callable[[dict[str, Any]], list[dict[str, Any]]],
    ) -> dict[str, Any]:
        """The answer of a call with a token; not that of an old call with the same one."""
        for salt in range(MOST_SALTS):
            try:
                answer = once(salt)
            except self.calls.ec2.exceptions.ClientError as error:
                if code_of(error) != "IdempotentParameterMismatch":
                    raise
                continue
            if all(self.wall() - thing[time] < OLD for thing in things(answer)):
                return answer
        raise CloudError(f"EC2 goes on answering for things of {self.name} that are gone")

    def address(self, address: Address) -> None:
        """A fixed address."""
        asked = requests.allocate_address(self.name, address, self.users)
        made = self.calls.ec2.allocate_address(**asked)
        found = replace(address, id=made["AllocationId"], ip=made.get("PublicIp"))
        self._made(found, made["AllocationId"])

    # --- instances ---------------------------------------------------------------------------

    def launch(self, instances: tuple[Instance, ...]) -> None:
        """One call for the batch; where a zone has no room, the next zone, saying why."""
        shape = instances[0].shape
        key = (shape.image, shape.arch)
        if key not in self.images:
            self.images[key] = self._image(*key)
        image, root_device = self.images[key]
        refused = []
        for zone in self._zones():
            site = requests.Site(
                image=image,
                root_device=root_device,
                subnet=self.network().subnets[zone],
                zone=zone,
                security_group=self.memory.ids["security-group", self.name],
                key_pair=requests.key_name(self.name),
                users=self.users,
            )
            try:
                with translated(f"launch {len(instances)} x {shape.type} in {zone}"):
                    made = self._launched(instances, site)
            except CapacityError as error:
                refused.append(error.what)
                continue
            # Machines of one name stay together: traffic between zones is slow, and paid for.
            self.memory.zone = zone
            self._remember_launched(instances, made)
            return
        raise CapacityError("; ".join(refused))

    def _launched(self, instances: tuple[Instance, ...], site: requests.Site) -> list[Any]:
        def once(salt: int) -> dict[str, Any]:
            asked = requests.run_instances(
                self.name, instances, site, seen=self.memory.seen, salt=salt
            )
            made: dict[str, Any] = self.calls.ec2.run_instances(**asked)
            return made

        found: list[Any] = self._new(once, "LaunchTime", lambda made: made["Instances"])[
            "Instances"
        ]
        return found

    def _remember_launched(
        self, instances: tuple[Instance, ...], made: Iterable[dict[str, Any]]
    ) -> None:
        for described in made:
            instance = instances[int(described.get("AmiLaunchIndex", 0))]
            found = replace(instance, id=described["InstanceId"], state="pending")
            self._made(found, described["InstanceId"])

    def _zones(self) -> tuple[str, ...]:
        """Only one where there are volumes or machines already; else all, in order."""
        if self.memory.zone is not None:
            return (self.memory.zone,)
        return self.network().zones

    def _image(self, image: str, arch: str) -> tuple[str, str]:
        """The AMI's id, and the name of the device that it boots from."""
        source = image_source(image, arch)
        if source is None:
            (found,) = self.calls.ec2.describe_images(ImageIds=[image])["Images"]
            return image, found["RootDeviceName"]
        answer = self.ssm.get_parameter(Name=source.parameter)
        return answer["Parameter"]["Value"], source.root_device
