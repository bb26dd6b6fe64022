"""The parameters of the calls that create. Pure: the tests compare them whole."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from roost.errors import UsageError
from roost.model.nodes import launch
from roost.model.record import LONGEST, read_record
from roost.model.resources import Address, Instance, Shape, Volume
from roost.providers.aws import tags
from roost.providers.aws.rules import EbsDisks, catalogue

USER_DATA_LIMIT = 16_384
"""Bytes that EC2 keeps of a launch template's user-data."""
TOKEN_LENGTH = 64
DATA_DEVICES = tuple(f"/dev/sd{letter}" for letter in "fghijklmnop")
"""Names that EC2 recommends for data volumes."""

METADATA = {"HttpTokens": "required", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 1}
"""A container on the machine is one hop further, and gets no credentials of the machine's role.
The limit is said, as that of an AMI registered for IMDSv2 is 2."""


def devices_from(slot: int) -> tuple[str, ...]:
    """Return the device of a volume's slot, and then all others."""
    mine = DATA_DEVICES[slot : slot + 1]
    return (*mine, *(device for device in DATA_DEVICES if device not in mine))


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The target of a launch: an image, a subnet in a zone, a firewall, a key.

    ``image`` is an AMI or what EC2 resolves to one; ``security_groups`` are the name's own, and
    what else there is around the machine; ``private`` the private address of the one
    machine that has it fixed; ``public``: machines get a public address; ``kms_key`` encrypts the
    disk, else the account's default key.
    """

    image: str
    root_device: str
    subnet: str
    zone: str
    security_groups: tuple[str, ...]
    key_pair: str | None
    users: Mapping[str, str] = field(default_factory=dict)
    private: str | None = None
    public: bool = True
    kms_key: str | None = None
    user_data: bytes | None = None


def key_name(name: str) -> str:
    """Return EC2's name of the key pair."""
    return f"roost-{name}"


def token(*parts: object) -> str:
    """Return a ClientToken: the same for the same wish, so that a repeated call makes one thing."""
    text = json.dumps([str(part) for part in parts])
    return hashlib.sha256(text.encode()).hexdigest()[:TOKEN_LENGTH]


def run_instances(
    name: str, instances: tuple[Instance, ...], site: Site, *, seen: Iterable[str], salt: int = 0
) -> dict[str, Any]:
    """Return one launch for all instances of one role and shape; fewer if there is little room.

    A later launch of the same nodes must have another token, or EC2 answers with the instances of
    old: so the firewall's id is in it (a new one after each ``down``), the ids of the instances so
    far (``seen``), and ``salt``, which is raised where EC2 answers with the old ones all the same.
    """
    first = instances[0]
    nodes = launch([i.name for i in instances])
    mine = {tags.ROLE: first.role, tags.PRINT: first.fingerprint}
    found = tags.tags(name, nodes, mine, site.users)
    disk = {tags.NAME: name, tags.NODE: nodes, tags.TITLE: f"{name} {first.role}", **site.users}
    asked: dict[str, Any] = {
        "ImageId": site.image,
        "InstanceType": first.shape.type,
        "MinCount": 1,
        "MaxCount": len(instances),
        "ClientToken": token(
            *(name, nodes, first.shape.type, first.shape.spot, site.zone),
            *(site.security_groups[0], salt),
            *([site.private] if site.private else []),
            *([] if site.public else ["private"]),
            *sorted(seen),
        ),
        "MetadataOptions": METADATA,
        "InstanceInitiatedShutdownBehavior": "terminate" if first.shape.spot else "stop",
        "NetworkInterfaces": [
            {
                "DeviceIndex": 0,
                "SubnetId": site.subnet,
                "Groups": list(site.security_groups),
                "AssociatePublicIpAddress": site.public,
                "DeleteOnTermination": True,
            }
        ],
        "BlockDeviceMappings": [
            {
                "DeviceName": site.root_device,
                "Ebs": _boot_disk(first.shape, site.kms_key),
            }
        ],
        "TagSpecifications": [
            tags.specification("instance", found),
            tags.specification("volume", disk),
            tags.specification("network-interface", disk),
        ],
    }
    if site.private is not None:
        asked["NetworkInterfaces"][0]["PrivateIpAddress"] = site.private
    if site.user_data is not None:
        asked["UserData"] = site.user_data
    if site.key_pair is not None:
        asked["KeyName"] = site.key_pair
    if first.shape.machine_role:
        asked["IamInstanceProfile"] = instance_profile(first.shape.machine_role)
    if first.shape.spot:
        asked["InstanceMarketOptions"] = spot_market(first.shape.max_price)
    return asked | cpu_credits(first.shape.type)


def spot_market(max_price: float | None) -> dict[str, Any]:
    """Return ``InstanceMarketOptions``: spot, for so many US dollars an hour at most."""
    price = {} if max_price is None else {"SpotOptions": {"MaxPrice": f"{max_price:.6f}"}}
    return {"MarketType": "spot", **price}


def _boot_disk(shape: Shape, kms_key: str | None) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "VolumeSize": int(shape.disk_gib),
        "VolumeType": shape.disk_type or EbsDisks.root,
        "Encrypted": True,
        "DeleteOnTermination": True,
    }
    if shape.disk_iops is not None:
        asked["Iops"] = shape.disk_iops
    if shape.disk_throughput is not None:
        asked["Throughput"] = shape.disk_throughput
    if kms_key is not None:
        asked["KmsKeyId"] = kms_key
    return asked


def cpu_credits(kind: str) -> dict[str, Any]:
    """Return the mode of a burstable type, which is said so that no account's default decides.

    Estimates count what "unlimited" can cost; "standard" would begin slower than its set-up needs.
    """
    if catalogue().cpu_credits(kind) is None:
        return {}
    return {"CreditSpecification": {"CpuCredits": "unlimited"}}


def instance_profile(profile: str) -> dict[str, str]:
    """Return an instance profile by the file's words: its ARN or its name."""
    return {"Arn" if profile.startswith("arn:") else "Name": profile}


def create_volume(
    name: str,
    volume: Volume,
    zone: str,
    users: Mapping[str, str],
    *parts: object,
    kms_key: str | None = None,
) -> dict[str, Any]:
    """Return an encrypted data volume; it is not deleted with the instance it is attached to.

    ``parts`` are what makes its token another one than that of a volume of old. ``kms_key``
    encrypts it, else the account's default key.
    """
    mine = volume_tags(volume)
    asked: dict[str, Any] = {
        "AvailabilityZone": zone,
        "Size": int(volume.size_gib),
        "VolumeType": volume.type,
        "Encrypted": True,
        "ClientToken": token(
            *(name, volume.name, zone, volume.snapshot),
            *([volume.copy_of] if volume.copy_of else []),
            *parts,
        ),
        "TagSpecifications": [
            tags.specification("volume", tags.tags(name, volume.name, mine, users))
        ],
    }
    if kms_key is not None:
        asked["KmsKeyId"] = kms_key
    if volume.iops is not None:
        asked["Iops"] = volume.iops
    if volume.throughput is not None:
        asked["Throughput"] = volume.throughput
    if volume.snapshot:
        asked["SnapshotId"] = volume.snapshot
        if volume.warm is not None:
            asked["VolumeInitializationRate"] = volume.warm
    return asked


def volume_tags(volume: Volume) -> dict[str, str]:
    """Return the tags of a volume beside its name."""
    return {tags.HOLDER: volume.holder, tags.MOUNT: volume.mount, tags.SLOT: str(volume.slot)}


def adoption(name: str, volume: Volume, users: Mapping[str, str]) -> dict[str, Any]:
    """Return the tags that adopt a volume of before roost for a name; its own title stays."""
    found = tags.tags(name, volume.name, {**volume_tags(volume), tags.ADOPTED: "yes"}, users)
    del found[tags.TITLE]
    listed: list[dict[str, str]] = tags.specification("volume", found)["Tags"]
    return {"Resources": [volume.id], "Tags": listed}


def settled(resource: str, described: Iterable[Mapping[str, str]]) -> dict[str, Any]:
    """Return a call that writes what a swapped resource is called now as its own name."""
    held = tags.read(described)
    named = {key: held[key] for key in (tags.NODE, tags.HOLDER) if key in held}
    written = {**named, tags.SWAP: ""}
    return {"Resources": [resource], "Tags": [{"Key": k, "Value": v} for k, v in written.items()]}


def disowning(ids: list[str]) -> dict[str, Any]:
    """Return the tags that go again; whatever their values are."""
    keys = (tags.NAME, tags.NODE, tags.HOLDER, tags.MOUNT, tags.SLOT, tags.ADOPTED)
    return {"Resources": ids, "Tags": [{"Key": key} for key in keys]}


def modify_volume(volume: Volume) -> dict[str, Any]:
    """Return a volume's new size and speed."""
    asked: dict[str, Any] = {
        "VolumeId": volume.id,
        "Size": int(volume.size_gib),
        "VolumeType": volume.type,
    }
    if volume.iops is not None:
        asked["Iops"] = volume.iops
    if volume.throughput is not None:
        asked["Throughput"] = volume.throughput
    return asked


def create_snapshot(
    name: str, volume: Volume, users: Mapping[str, str], *, sealed: bool
) -> dict[str, Any]:
    """Return a copy of a volume. (The call takes no ClientToken; surplus copies are deleted.)"""
    mine = {tags.SEALED: "yes" if sealed else "no", tags.HOLDER: volume.holder}
    return {
        "VolumeId": volume.id,
        "Description": f"roost: {name} {volume.name}",
        "TagSpecifications": [
            tags.specification("snapshot", tags.tags(name, volume.name, mine, users))
        ],
    }


def create_image(
    name: str, instance: Instance, devices: Iterable[str], users: Mapping[str, str], failed: int
) -> dict[str, Any]:
    """Return an image of the disk that a stopped instance boots from, without its data volumes.

    An image's name is unique, so the same wish (the same instance, not started since) makes one
    image only; ``failed`` counts those that came to nothing.
    """
    title = f"roost {name} {instance.name} {instance.id} {int(instance.started)} {failed}"
    mine = {tags.SOURCE: instance.id, tags.TYPE: instance.shape.type}
    found = tags.tags(name, instance.name, mine, users)
    return {
        "InstanceId": instance.id,
        "Name": title,
        "Description": f"roost: the disk of {name} {instance.name}",
        "BlockDeviceMappings": [{"DeviceName": d, "NoDevice": ""} for d in sorted(devices)],
        "TagSpecifications": [
            tags.specification("image", found),
            tags.specification("snapshot", found),
        ],
    }


def allocate_address(name: str, address: Address, users: Mapping[str, str]) -> dict[str, Any]:
    """Return an Elastic IP. (This call takes no ClientToken: see ``parse.addresses`` for twins.)"""
    found = tags.tags(name, address.name, {tags.HOLDER: address.holder}, users)
    return {"Domain": "vpc", "TagSpecifications": [tags.specification("elastic-ip", found)]}


def create_security_group(
    name: str, group: str, vpc: str, users: Mapping[str, str]
) -> dict[str, Any]:
    """Return a firewall; nothing may enter until ``authorize`` says so."""
    return {
        "GroupName": f"roost-{group}",
        "Description": f"roost: {name}",
        "VpcId": vpc,
        "TagSpecifications": [
            tags.specification("security-group", tags.tags(name, group, {}, users))
        ],
    }


# --- the record: the spec, as the user-data of a launch template that nobody launches -------------

GZIP = 16 + zlib.MAX_WBITS
"""zlib's word for data with gzip's header."""
BEYOND = 4
"""The flag of gzip's extra field, which older versions of roost pass over."""
FIELD = b"rb"
"""The name of our part of it: recorded backups."""


def template_name(name: str) -> str:
    """Return the name of the launch template that keeps the record."""
    return f"roost-{name}"


def packed(record: str, block: bytes = b"") -> str:
    """Return the record, packed, with a block of data that is about it in gzip's extra field."""
    plain = gzip.compress(record.encode(), mtime=0)
    if block:
        part = FIELD + struct.pack("<H", len(block)) + block
        head = plain[:3] + bytes([plain[3] | BEYOND]) + plain[4:10]
        plain = head + struct.pack("<H", len(part)) + part + plain[10:]
    return base64.b64encode(plain).decode()


def template_data(record: str, block: bytes = b"") -> dict[str, Any]:
    """Return the record, packed. Raises UsageError where it is too long for EC2."""
    text = packed(record, block)
    if len(text) > USER_DATA_LIMIT:
        raise UsageError(f"the file is too long to be kept with the cloud ({len(text)} bytes)")
    return {"UserData": text}


def record_in(data: Mapping[str, Any]) -> str | None:
    """Return the record that ``template_data`` packed; None where this is no record."""
    try:
        raw = base64.b64decode(data["UserData"])
        unpacking = zlib.decompressobj(GZIP)
        text = unpacking.decompress(raw, LONGEST)
        return text.decode() if unpacking.eof else None
    except (KeyError, ValueError, zlib.error):
        return None


def block_in(data: Mapping[str, Any]) -> bytes:
    """Return the block that ``template_data`` packed with a record; empty where there is none."""
    try:
        raw = base64.b64decode(data["UserData"])
        if not raw[3] & BEYOND or raw[12:14] != FIELD:
            return b""
        (length,) = struct.unpack("<H", raw[14:16])
    except (KeyError, ValueError, IndexError, struct.error):
        return b""
    return raw[16 : 16 + length]


def create_template(
    name: str, record: str, users: Mapping[str, str], key: str = "", told: str = ""
) -> dict[str, Any]:
    """Return the first record of a name, of whoever has ``key``; ``told`` describes it.

    No ClientToken: the template's name is unique, and a token would bring back the answer for a
    template that `down` has deleted.
    """
    more = {tags.KEY: key, tags.FOLLOWS: tags.follows(record)}
    mine = {tags.KIND: read_record(record).kind, **{k: v for k, v in more.items() if v}}
    found = tags.tags(name, "record", mine, users)
    return {
        "LaunchTemplateName": template_name(name),
        "LaunchTemplateData": template_data(record),
        **({"VersionDescription": told} if told else {}),
        "TagSpecifications": [tags.specification("launch-template", found)],
    }


def template_version(name: str, record: str, block: bytes = b"") -> dict[str, Any]:
    """Return a later record; one version too many does no harm."""
    return {
        "LaunchTemplateName": template_name(name),
        "LaunchTemplateData": template_data(record, block),
    }
