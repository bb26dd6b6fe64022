"""The calls that make, asked of EC2 without being carried out: are they allowed?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from roost.errors import RoostError
from roost.providers.aws import requests, tags
from roost.providers.aws.failures import code_of, translated
from roost.providers.aws.images.lookup import image_source

if TYPE_CHECKING:
    from roost.model.resources import Group, Wanted
    from roost.providers.aws.network import Network

SOME_KEY = (
    b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA dry-run"
)
"""A public key that nobody has."""


def dry_runs(
    wanted: Wanted, users: Mapping[str, str], network: Network, kms_key: str | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the calls of `up` that can be asked before anything is made. Pure.

    With the tags that `up` gives, as permissions hang on them.
    """
    name, zone = wanted.name, network.zones[0]
    yield (
        "import_key_pair",
        {
            "KeyName": requests.key_name(name),
            "PublicKeyMaterial": SOME_KEY,
            "TagSpecifications": [_tags("key-pair", name, users)],
        },
    )
    yield "create_security_group", requests.create_security_group(name, name, network.vpc, users)
    yield "create_launch_template", requests.create_template(name, wanted.record, users)
    for volume in wanted.volumes[:1]:
        asked = requests.create_volume(name, volume, zone, users, kms_key=kms_key)
        yield "create_volume", {k: v for k, v in asked.items() if k != "ClientToken"}
    for address in wanted.addresses[:1]:
        yield "allocate_address", requests.allocate_address(name, address, users)
    for group in wanted.groups:
        if group.count:
            yield "run_instances", _launch(name, group, users, network.subnets[zone])


def _launch(name: str, group: Group, users: Mapping[str, str], subnet: str) -> dict[str, Any]:
    """Return one machine behind the network's default firewall: the name's own is not there yet."""
    # A right to launch is asked for, whichever image it is: the name of one is no id.
    image = "ubuntu-24.04" if "/" in group.shape.image else group.shape.image
    source = image_source(image, group.shape.arch)
    kinds = ("instance", "volume", "network-interface")
    asked: dict[str, Any] = {
        "ImageId": f"resolve:ssm:{source.parameter}" if source else image,
        "InstanceType": group.shape.type,
        "MinCount": 1,
        "MaxCount": 1,
        "NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": subnet}],
        "TagSpecifications": [_tags(kind, name, users) for kind in kinds],
    }
    if group.shape.machine_role:
        asked["IamInstanceProfile"] = requests.instance_profile(group.shape.machine_role)
    if group.shape.spot:
        asked["InstanceMarketOptions"] = requests.spot_market(group.shape.max_price)
    return asked | requests.cpu_credits(group.shape.type)


def _tags(kind: str, name: str, users: Mapping[str, str]) -> dict[str, Any]:
    return tags.specification(kind, tags.tags(name, name, {}, users))


@dataclass(frozen=True, slots=True)
class Answer:
    """EC2's answer to a dry run: its code, ``DryRunOperation`` where it would do the call.

    ``done``: an endpoint that knows no dry runs did it; ``left`` is what could not be undone.
    """

    code: str
    done: bool = False
    left: str = ""


UNDO = {
    "import_key_pair": ("delete_key_pair", "KeyName"),
    "create_security_group": ("delete_security_group", "GroupId"),
    "create_launch_template": ("delete_launch_template", "LaunchTemplateId"),
    "create_volume": ("delete_volume", "VolumeId"),
    "allocate_address": ("release_address", "AllocationId"),
    "run_instances": ("terminate_instances", "InstanceIds"),
}
"""The call that undoes each of them, and what it takes."""


def answer_of(ec2: Any, call: str, asked: Mapping[str, Any]) -> Answer:
    """Return EC2's answer; what an endpoint made instead is deleted again.

    Raises AccessError and others where EC2 cannot be asked at all.
    """
    from botocore.exceptions import ClientError

    with translated(f"ask whether {call} is allowed"):
        try:
            made = getattr(ec2, call)(**asked, DryRun=True)
        except ClientError as error:
            return Answer(code_of(error))
    undo, key = UNDO[call]
    ids = [one["InstanceId"] for one in made.get("Instances", ())]
    one = ids or made.get("LaunchTemplate", made).get(key)
    try:
        with translated(f"delete {one}"):
            getattr(ec2, undo)(**{key: one})
    except RoostError as error:
        return Answer("done", done=True, left=error.what)
    return Answer("done", done=True)
