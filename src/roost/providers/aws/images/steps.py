"""The steps of baking on EC2, one at a time.

Everything is tagged by the call that makes it, and made once: images and the firewall by their
unique names, the helper by its token. Names of images may hold letters, digits and few signs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from roost.errors import CapacityError, NotYetError, command_line
from roost.model.images import BakeStep
from roost.providers.aws import tags
from roost.providers.aws.failures import code_of, kind_of
from roost.providers.aws.images.store import BAKED, COPY, HELPER, tagged
from roost.providers.aws.network import Network, network_of
from roost.providers.aws.parse import TERMINATED
from roost.providers.aws.requests import METADATA, token
from roost.recipes.baking import user_data

if TYPE_CHECKING:
    from roost.model.images import BakeRequest
    from roost.providers.aws.client import Calls

HELPERS = {"x86_64": ("t3.small", "t3a.small"), "arm64": ("t4g.small", "t4g.medium")}
"""Small, cheap, and of the kind whose console can be read at any time (Nitro)."""


@dataclass(slots=True)
class BakeSteps:
    """The effects of one baking; ``described`` is what EC2 described just before.

    ``begun`` are the helpers that this process launched.
    """

    calls: Calls
    request: BakeRequest
    described: Mapping[str, list[Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    begun: set[str] = field(default_factory=set)
    _firewall: str = ""
    _network: Network | None = None

    def do(self, step: BakeStep, described: Mapping[str, list[Any]]) -> None:
        """Do one step; each can be done again after a kill in its middle."""
        self.described = described
        match step.verb:
            case "copy-disk":
                self._copy_disk()
            case "create-firewall":
                self._create_firewall()
            case "launch-helper":
                self._launch(step.ids[0])
            case "create-image":
                self._image_of(*step.ids)
            case "mark-restart" | "stop" | "start" | "unmark-restart":
                self._change_machine(step)
            case _:
                self._delete(step)

    def _change_machine(self, step: BakeStep) -> None:
        """Stop the user's own machine, or start it again."""
        ec2, gone, ids = self.calls.ec2, self.calls.unless_gone, list(step.ids)
        match step.verb:
            case "mark-restart":
                mark = [{"Key": tags.BAKING, "Value": self.request.image}]
                gone(ec2.create_tags, Resources=ids, Tags=mark)
            case "unmark-restart":
                gone(ec2.delete_tags, Resources=ids, Tags=[{"Key": tags.BAKING}])
            case "stop":
                gone(ec2.stop_instances, InstanceIds=ids)
            case "start":
                self._start(ids)

    def _delete(self, step: BakeStep) -> None:
        ec2, gone = self.calls.ec2, self.calls.unless_gone
        if step.verb == "terminate-helpers":
            gone(ec2.terminate_instances, InstanceIds=list(step.ids))
            return
        for one in step.ids:
            match step.verb:
                case "delete-firewalls":
                    gone(ec2.delete_security_group, GroupId=one)
                case "delete-images":
                    gone(ec2.deregister_image, ImageId=one, DeleteAssociatedSnapshots=True)
                case "delete-snapshots":
                    gone(ec2.delete_snapshot, SnapshotId=one)

    def _start(self, ids: list[str]) -> None:
        """Start the machine that ran before. Without room for it now, the image is made first."""
        try:
            self.calls.unless_gone(self.calls.ec2.start_instances, InstanceIds=ids)
        except self.calls.ec2.exceptions.ClientError as error:
            if kind_of(error) != "capacity":
                raise
            again = command_line("roost", "start", self.request.spec.name)
            self.notes.append(
                f"no room to start {self.request.made_from} again now ({code_of(error)});"
                f" it stays stopped, and `{again}` tries later"
            )
            self._change_machine(BakeStep("unmark-restart", tuple(ids)))

    def _copy_disk(self) -> None:
        """Copy the machine's own disk, without its data volumes; each retry has another name."""
        (machine,) = self.described["machine"]
        failed = sum(
            tags.read(one["Tags"]).get(tags.ROLE) == COPY for one in self.described["image"]
        )
        started = int(machine["LaunchTime"].timestamp())
        title = f"roost image {self.request.image} of {self.request.instance} {started} {failed}"
        self._create_image(machine, title, self._tags(COPY, self.request.instance))

    def _image_of(self, helper: str, source: str) -> None:
        """Make an image of the cleaned disk; its tags are those of the copy that it was made of."""
        (machine,) = (h for h in self.described["helper"] if h["InstanceId"] == helper)
        (held,) = (
            tags.read(one["Tags"]) for one in self.described["image"] if one["ImageId"] == source
        )
        found = {**held, tags.ROLE: BAKED, tags.SOURCE: source}
        self._create_image(machine, f"roost image {self.request.image} {source}", found)

    def _create_image(
        self, machine: Mapping[str, Any], title: str, found: Mapping[str, str]
    ) -> None:
        devices = [m["DeviceName"] for m in machine["BlockDeviceMappings"]]
        data = sorted(d for d in devices if d != machine["RootDeviceName"])
        self.calls.unless_there(
            self.calls.ec2.create_image,
            InstanceId=machine["InstanceId"],
            Name=title,
            Description=f"roost: image {self.request.image}",
            BlockDeviceMappings=[{"DeviceName": d, "NoDevice": ""} for d in data],
            TagSpecifications=[
                tags.specification("image", found),
                tags.specification("snapshot", found),
            ],
        )

    def _tags(self, role: str, origin: str) -> dict[str, str]:
        request = self.request
        more = {
            tags.ROLE: role,
            tags.SOURCE: origin,
            tags.RECIPE: request.recipe,
            tags.SYSTEM: request.system,
            tags.MADE_FROM: request.made_from,
            tags.OF: request.spec.name,
        }
        return tagged(request.image, more, request.spec.tags)

    # --- the helper --------------------------------------------------------------------------

    def _create_firewall(self) -> None:
        """Create a firewall of the helper's own: nothing may enter."""
        title, vpc = f"roost image {self.request.image}", self._place().vpc
        made = self.calls.unless_there(
            self.calls.ec2.create_security_group,
            GroupName=title,
            Description=f"roost: the helper that bakes image {self.request.image}",
            VpcId=vpc,
            TagSpecifications=[tags.specification("security-group", self._tags(HELPER, ""))],
        )
        if made is not None:
            self._firewall = made["GroupId"]
            return
        where = [{"Name": "group-name", "Values": [title]}, {"Name": "vpc-id", "Values": [vpc]}]
        found = self.calls.every("describe_security_groups", "SecurityGroups", Filters=where)
        if not found:
            raise NotYetError(f"the security group {title} exists and cannot be seen yet")
        self._firewall = found[0]["GroupId"]

    def _place(self) -> Network:
        if self._network is None:
            spec = self.request.spec
            self._network = network_of(self.calls, spec.aws, spec.access)
        return self._network

    def _launch(self, source: str) -> None:
        """Launch a helper from the copy. Raises CapacityError where there is no room."""
        groups = [one["GroupId"] for one in self.described["group"]]
        self._firewall = next(iter(groups), self._firewall)
        (image,) = (one for one in self.described["image"] if one["ImageId"] == source)
        arch = image.get("Architecture", "x86_64")
        full = []
        for zone, subnet in self._place().subnets.items():
            for kind in HELPERS[arch]:
                asked = self.helper(image, kind, subnet)
                try:
                    made = self.calls.ec2.run_instances(**asked)
                except self.calls.ec2.exceptions.ClientError as error:
                    if kind_of(error) != "capacity":
                        raise
                    full.append(f"no {kind} in {zone} ({code_of(error)})")
                else:
                    self.begun |= {one["InstanceId"] for one in made["Instances"]}
                    return
        raise CapacityError(
            f"no room for the helper of image {self.request.image}: {'; '.join(full)}",
            next="the same command, later",
        )

    def helper(self, image: Mapping[str, Any], kind: str, subnet: str) -> dict[str, Any]:
        """Return the parameters of RunInstances: no key, no public address, and nothing may enter.

        The token knows the helpers that are gone, so that a later one is another wish.
        """
        source, name = image["ImageId"], self.request.image
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
            "Groups": [self._firewall],
            "AssociatePublicIpAddress": False,
            "DeleteOnTermination": True,
        }
        kinds = ("instance", "volume", "network-interface")
        return {
            "ImageId": source,
            "InstanceType": kind,
            "MinCount": 1,
            "MaxCount": 1,
            "ClientToken": token(
                "bake", self.request.image, source, kind, subnet, self._firewall, *gone
            ),
            "MetadataOptions": METADATA,
            "InstanceInitiatedShutdownBehavior": "stop",
            "NetworkInterfaces": [face],
            "BlockDeviceMappings": [{"DeviceName": image["RootDeviceName"], "Ebs": root}],
            "TagSpecifications": [tags.specification(one, held) for one in kinds],
            "UserData": user_data(name, source),
        }


def is_gone(one: Mapping[str, Any]) -> bool:
    """Tell whether an instance is terminated; EC2 describes it for another hour."""
    return bool(one["State"]["Name"] == TERMINATED)
