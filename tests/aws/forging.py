"""What somebody else of the account can write: records, versions, and tags of all kinds."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from roost.providers.aws.requests import packed
from tests.aws.conftest import Account
from tests.aws.moto_account import IMAGE

STOLEN = "~/.aws/credentials"
ODD = st.sampled_from(
    (
        *(
            "",
            " ",
            "\n",
            "x" * 256,
            "../../etc/passwd",
            "-oProxyCommand=touch x",
            "²",
            "*",
            "stars",
        ),
        *("a-1..99999999999", "desktop", "desktop-1", "head", "worker-1", "worker-1..3", "seat-1"),
        *("$(touch x)", STOLEN, "data", "-1", "999999999", "1e308", "NaN", "yes"),
        *("2 x", "9999999999 x", "i-0", "s3://bucket/../x", "\x1b[2J", "\ud7ff"),
    )
)
"""Texts of records, and values of tags (which are in XML, so that some cannot be)."""
IN_XML = ODD.filter(lambda text: text.isprintable() and "\ud7ff" not in text)
KEYS = ("roost:node", "roost:role", "roost:holder", "roost:mount", "roost:slot", "roost:sealed")
MORE = ("roost:source", "roost:type", "roost:fingerprint", "roost:adopted", "roost:kind")
KINDS = ("instance", "volume", "snapshot", "security-group", "elastic-ip", "key-pair", "image")
TEMPLATE_KEYS = (
    *("roost:stored:data", "roost:stored:data:2", "roost:owner", "roost:key", "roost:ledger:0"),
    *("roost:kind", "roost:node"),
)
NESTED = json.loads("[" * 200 + "]" * 200)
VALUES = st.one_of(
    ODD,
    st.integers(-(10**12), 10**12),
    st.none() | st.booleans(),
    st.floats(allow_nan=False),
    st.sampled_from(([], {}, ["me"], [{"name": "data"}], NESTED, "y" * 100_000)),
)
PATHS = (
    *("name", "kind", "cloud", "folder", "tags", "volumes", "access", "aws", "machine"),
    *("pixinsight", "environment", "budget", "schedule", "data", "protocol", "seats", "surprise"),
    *("access__ssh", "access__https", "access__operators", "access__address", "aws__region"),
    *("aws__profile", "aws__vpc", "aws__machine_role", "machine__type", "machine__disk"),
    *("machine__image", "pixinsight__license", "pixinsight__installer", "pixinsight__swap"),
)


DISK = {"VolumeSize": 8, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}
MACHINE: dict[str, Any] = {
    "MinCount": 1,
    "MaxCount": 1,
    "InstanceType": "t3.small",
    "ImageId": IMAGE,
    "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": DISK}],
}


@dataclass(frozen=True)
class Forged:
    """The changes of a record, the raw data of a template, and tags of new resources."""

    changes: tuple[tuple[str, Any], ...] = ()
    raw: str | None = None
    described: str | None = None
    block: bytes = b""
    on_template: tuple[tuple[str, str], ...] = ()
    resources: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()


def _bomb() -> str:
    return base64.b64encode(gzip.compress(b" " * 30_000_000)).decode()[:16_000]


RAW = st.sampled_from(
    (
        *("", "AAAA", "not base64!", base64.b64encode(b"\x1f\x8b").decode()),
        *(packed("[]"), packed("null"), packed("{"), packed("[" * 50_000), _bomb()),
        packed('{"name": "stars", "kind": "desktop", "cloud": "aws"}'),
    )
)
TAGS = st.dictionaries(st.sampled_from(KEYS + MORE), IN_XML, max_size=5).map(
    lambda d: tuple(d.items())
)
FORGED = st.builds(
    Forged,
    changes=st.lists(st.tuples(st.sampled_from(PATHS), VALUES), max_size=3).map(tuple),
    raw=st.none() | RAW,
    described=st.none() | st.just("roost: owner - key -") | IN_XML,
    block=st.sampled_from((b"", b"1", b"2", b"3[1,2]", b"1garbage", b"3" + b"[" * 90, b"9")),
    on_template=st.lists(st.tuples(st.sampled_from(TEMPLATE_KEYS), IN_XML), max_size=3).map(tuple),
    resources=st.lists(st.tuples(st.sampled_from(KINDS), TAGS), max_size=3).map(tuple),
)


def record(text: str, changes: tuple[tuple[str, Any], ...], secret: str) -> str:
    """Return a record with other values in it; ``STOLEN`` is the path of a ``secret``."""
    found = json.loads(text)
    for path, value in changes:
        *tables, key = path.split("__")
        table = found
        for one in tables:
            table = table[one] if isinstance(table.get(one), dict) else table
        table[key] = secret if value == STOLEN else value
    return json.dumps(found)


def write(account: Account, forged: Forged, text: str, secret: str) -> set[str]:
    """Write all of it, as somebody who shares the account; return the ids of what was made."""
    ec2, name = account.client, "roost-stars"
    data = forged.raw
    if data is None:
        data = packed(record(text, forged.changes, secret), forged.block)
    told = {"VersionDescription": forged.described[:255]} if forged.described else {}
    ec2.create_launch_template_version(
        LaunchTemplateName=name, LaunchTemplateData={"UserData": data}, **told
    )
    (template,) = ec2.describe_launch_templates(LaunchTemplateNames=[name])["LaunchTemplates"]
    if forged.on_template:
        tags = [{"Key": k, "Value": v} for k, v in dict(forged.on_template).items()]
        ec2.create_tags(Resources=[template["LaunchTemplateId"]], Tags=tags)
    made = {
        make(account, kind, {"roost": "stars", **dict(tags)}, number)
        for number, (kind, tags) in enumerate(forged.resources)
    }
    account.settle()
    return made


def make(account: Account, kind: str, held: dict[str, str], number: int) -> str:
    """Make one resource with these tags; return its id."""
    ec2 = account.client
    spec = [{"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in held.items()]}]
    match kind:
        case "instance":
            made = ec2.run_instances(**MACHINE, TagSpecifications=spec)
            return str(made["Instances"][0]["InstanceId"])
        case "volume":
            zone = {"AvailabilityZone": "eu-central-1a", "Size": 1}
            return str(ec2.create_volume(**zone, TagSpecifications=spec)["VolumeId"])
        case "snapshot":
            zone = {"AvailabilityZone": "eu-central-1a", "Size": 1}
            volume = ec2.create_volume(**zone)["VolumeId"]
            account.settle()
            made = ec2.create_snapshot(VolumeId=volume, TagSpecifications=spec)
            return str(made["SnapshotId"])
        case "security-group":
            group = {"GroupName": f"theirs-{number}", "Description": "-"}
            return str(ec2.create_security_group(**group, TagSpecifications=spec)["GroupId"])
        case "elastic-ip":
            return str(ec2.allocate_address(Domain="vpc", TagSpecifications=spec)["AllocationId"])
        case "key-pair":
            key = ec2.create_key_pair(KeyName=f"theirs-{number}", TagSpecifications=spec)
            return str(key["KeyPairId"])
        case _:
            source = ec2.run_instances(**MACHINE)["Instances"][0]["InstanceId"]
            account.settle()
            ec2.stop_instances(InstanceIds=[source])
            account.settle()
            both = [*spec, {**spec[0], "ResourceType": "snapshot"}]
            image = ec2.create_image(
                InstanceId=source,
                Name=f"theirs-{number}",
                TagSpecifications=both,
                BlockDeviceMappings=[],
            )["ImageId"]
            return str(image)
