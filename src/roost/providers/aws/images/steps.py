"""What baking does on EC2, one step at a time.

Everything is tagged by the call that makes it, and made once: images and the firewall by their
unique names, the helper by its token. Names of images may hold letters, digits and few signs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from roost.errors import CapacityError, ThrottledError
from roost.plan.bake import Step
from roost.providers.aws import tags
from roost.providers.aws.failures import NO_CAPACITY, code_of
from roost.providers.aws.images.baked import BAKED, COPY, HELPER, tagged
from roost.providers.aws.network import Network, find_network
from roost.providers.aws.parse import INSTANCE_STATES
from roost.providers.aws.requests import METADATA, token
from roost.recipes.baking import user_data

if TYPE_CHECKING:
    from roost.providers.aws.client import Calls
    from roost.spec.aws import Aws

HELPERS = {"x86_64": ("t3.small", "t3a.small"), "arm64": ("t4g.small", "t4g.medium")}
"""Small, cheap, and of the kind whose console can be read at any time (Nitro)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is baked: ``image`` is the name it gets, ``instance`` the machine's id.

    ``made_from`` says for people which machine that is; ``recipe`` is the digest of what it
    installed, ``system`` what it started from, ``users`` the user's own tags.
    """

    image: str
    instance: str
    made_from: str
    recipe: str
    system: str
    users: Mapping[str, str] = field(default_factory=dict)
    aws: Aws | None = None


@dataclass(slots=True)
class BakeSteps:
    """The effects of one baking; ``described`` is what EC2 described just before."""

    calls: Calls
    job: Job
    say: Callable[[str], None]
    described: Mapping[str, list[Any]] = field(default_factory=dict)
    _guard: str = ""
    _network: Network | None = None

    def do(self, step: Step, described: Mapping[str, list[Any]]) -> None:
        """One step; each can be done again after a kill in its middle."""
        self.described = described
        match step.verb:
            case "copy":
                self._copy()
            case "guard":
                self._make_guard()
            case "launch":
                self._launch(step.about[0])
            case "bake":
                self._image_of(*step.about)
            case "mark" | "stop" | "start" | "unmark":
                self._machine(step)
            case _:
                self._remove(step)

    def _machine(self, step: Step) -> None:
        """What is done to the user's own machine: it is stopped, and started again."""
        ec2, gone, ids = self.calls.ec2, self.calls.unless_gone, list(step.about)
        match step.verb:
            case "mark":
                mark = [{"Key": tags.BAKING, "Value": self.job.image}]
                gone(ec2.create_tags, Resources=ids, Tags=mark)
            case "unmark":
                gone(ec2.delete_tags, Resources=ids, Tags=[{"Key": tags.BAKING}])
            case "stop":
                gone(ec2.stop_instances, InstanceIds=ids)
            case "start":
                self._start(ids)

    def _remove(self, step: Step) -> None:
        ec2, gone = self.calls.ec2, self.calls.unless_gone
        if step.verb == "terminate":
            gone(ec2.terminate_instances, InstanceIds=list(step.about))
            return
        for one in step.about:
            match step.verb:
                case "unguard":
                    gone(ec2.delete_security_group, GroupId=one)
                case "discard":
                    gone(ec2.deregister_image, ImageId=one, DeleteAssociatedSnapshots=True)
                case "sweep":
                    gone(ec2.delete_snapshot, SnapshotId=one)

    def _start(self, ids: list[str]) -> None:
        """The machine ran before. Where there is no room for it now, the image is made first."""
        try:
            self.calls.unless_gone(self.calls.ec2.start_instances, InstanceIds=ids)
        except self.calls.ec2.exceptions.ClientError as error:
            if code_of(error) not in NO_CAPACITY:
                raise
            self.say(f"no room to start {self.job.made_from} again now ({code_of(error)})")
            self._machine(Step("unmark", tuple(ids)))

    def _copy(self) -> None:
        """The machine's own disk, without its data volumes; another name for each that failed."""
        (machine,) = self.described["machine"]
        failed = sum(
            tags.read(one["Tags"]).get(tags.ROLE) == COPY for one in self.described["image"]
        )
        started = int(machine["LaunchTime"].timestamp())
        title = f"roost image {self.job.image} of {self.job.instance} {started} {failed}"
        self._create_image(machine, title, self._tags(COPY, self.job.instance))

    def _image_of(self, helper: str, source: str) -> None:
        """The cleaned disk; what it holds is said by the copy that it was made of."""
        (machine,) = (h for h in self.described["helper"] if h["InstanceId"] == helper)
        (held,) = (
            tags.read(one["Tags"]) for one in self.described["image"] if one["ImageId"] == source
        )
        found = {**held, tags.ROLE: BAKED, tags.SOURCE: source}
        self._create_image(machine, f"roost image {self.job.image} {source}", found)

    def _create_image(
        self, machine: Mapping[str, Any], title: str, found: Mapping[str, str]
    ) -> None:
        devices = [m["DeviceName"] for m in machine["BlockDeviceMappings"]]
        data = sorted(d for d in devices if d != machine["RootDeviceName"])
        self.calls.unless_there(
            self.calls.ec2.create_image,
            InstanceId=machine["InstanceId"],
            Name=title,
            Description=f"roost: image {self.job.image}",
            BlockDeviceMappings=[{"DeviceName": d, "NoDevice": ""} for d in data],
            TagSpecifications=[
                tags.specification("image", found),
                tags.specification("snapshot", found),
            ],
        )

    def _tags(self, role: str, origin: str) -> dict[str, str]:
        job = self.job
        more = {
            tags.ROLE: role,
            tags.SOURCE: origin,
            tags.RECIPE: job.recipe,
            tags.SYSTEM: job.system,
            tags.MADE_FROM: job.made_from,
        }
        return tagged(job.image, more, job.users)

    # --- the helper --------------------------------------------------------------------------

    def _make_guard(self) -> None:
        """A firewall of the helper's own: nothing may enter."""
        title, vpc = f"roost image {self.job.image}", self._place().vpc
        made = self.calls.unless_there(
            self.calls.ec2.create_security_group,
            GroupName=title,
            Description=f"roost: the helper that bakes image {self.job.image}",
            VpcId=vpc,
            TagSpecifications=[tags.specification("security-group", self._tags(HELPER, ""))],
        )
        if made is not None:
            self._guard = made["GroupId"]
            return
        where = [{"Name": "group-name", "Values": [title]}, {"Name": "vpc-id", "Values": [vpc]}]
        found = self.calls.every("describe_security_groups", "SecurityGroups", Filters=where)
        if not found:
            raise ThrottledError(f"the security group {title} exists and cannot be seen yet")
        self._guard = found[0]["GroupId"]

    def _place(self) -> Network:
        if self._network is None:
            self._network = find_network(self.calls, self.job.aws)
        return self._network

    def _launch(self, source: str) -> None:
        """From the copy, where there is room for one. Raises CapacityError where there is none."""
        groups = [one["GroupId"] for one in self.described["group"]]
        self._guard = next(iter(groups), self._guard)
        (image,) = (one for one in self.described["image"] if one["ImageId"] == source)
        arch = image.get("Architecture", "x86_64")
        full = []
        for zone, subnet in self._place().subnets.items():
            for kind in HELPERS[arch]:
                asked = self.helper(image, kind, subnet)
                try:
                    self.calls.ec2.run_instances(**asked)
                except self.calls.ec2.exceptions.ClientError as error:
                    if code_of(error) not in NO_CAPACITY:
                        raise
                    full.append(f"no {kind} in {zone} ({code_of(error)})")
                else:
                    return
        raise CapacityError(
            f"no room for the helper of image {self.job.image}: {'; '.join(full)}",
            next="the same command, later",
        )

    def helper(self, image: Mapping[str, Any], kind: str, subnet: str) -> dict[str, Any]:
        """RunInstances. No key, no public address, and nothing may enter.

        The token knows the helpers that are gone, so that a later one is another wish.
        """
        source = image["ImageId"]
        gone = sorted(h["InstanceId"] for h in self.described["helper"] if is_gone(h))
        held = self._tags(HELPER, source)
        disks = (m for m in image["BlockDeviceMappings"] if "Ebs" in m)
        sizes = {m["DeviceName"]: m["Ebs"]["VolumeSize"] for m in disks}
        root = {
            "VolumeSize": sizes[image["RootDeviceName"]],
            "VolumeType": "gp3",
            "Encrypted": True,
            "DeleteOnTermination": True,
        }
        face = {
            "DeviceIndex": 0,
            "SubnetId": subnet,
            "Groups": [self._guard],
            "AssociatePublicIpAddress": False,
            "DeleteOnTermination": True,
        }
        kinds = ("instance", "volume", "network-interface")
        return {
            "ImageId": source,
            "InstanceType": kind,
            "MinCount": 1,
            "MaxCount": 1,
            "ClientToken": token("bake", self.job.image, source, kind, subnet, self._guard, *gone),
            "MetadataOptions": METADATA,
            "InstanceInitiatedShutdownBehavior": "stop",
            "NetworkInterfaces": [face],
            "BlockDeviceMappings": [{"DeviceName": image["RootDeviceName"], "Ebs": root}],
            "TagSpecifications": [tags.specification(one, held) for one in kinds],
            "UserData": user_data(self.job.image, source),
        }


def is_gone(one: Mapping[str, Any]) -> bool:
    """Whether an instance is terminated; EC2 describes it for another hour."""
    return one["State"]["Name"] not in INSTANCE_STATES
