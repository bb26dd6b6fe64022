"""What the metadata service of an instance says, as folders of folders. Pure but for reading."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

from moto.core.utils import utcnow

SOON = timedelta(minutes=15)


def metadata(backend: Any, instance: Any) -> dict[str, Any]:
    """All of it."""
    data = _user_data(instance)
    return {
        "meta-data": _meta_data(backend, instance),
        "dynamic": {"instance-identity": {"document": _document(backend, instance)}},
        **({"user-data": data} if data is not None else {}),
    }


def _user_data(instance: Any) -> bytes | None:
    return base64.b64decode(str(instance.user_data)) if instance.user_data else None


def _meta_data(backend: Any, instance: Any) -> dict[str, Any]:
    nic, private = instance.nics[0], instance.private_ip
    name = f"ip-{private.replace('.', '-')}.{backend.region_name}.compute.internal"
    mac, subnet = nic.mac_address, nic.subnet
    groups = "\n".join(sorted(group.name for group in nic.group_set))
    vpc = backend.get_vpc(subnet.vpc_id)
    interface = {
        "device-number": "0",
        "interface-id": nic.id,
        "local-hostname": name,
        "local-ipv4s": private,
        "mac": mac,
        "owner-id": backend.account_id,
        "security-groups": groups,
        "subnet-id": subnet.id,
        "subnet-ipv4-cidr-block": subnet.cidr_block,
        "vpc-id": subnet.vpc_id,
        "vpc-ipv4-cidr-block": vpc.cidr_block,
    }
    found: dict[str, Any] = {
        "ami-id": instance.image_id,
        "ami-launch-index": str(instance.ami_launch_index),
        "hostname": name,
        "instance-action": "none",
        "instance-id": instance.id,
        "instance-life-cycle": instance.lifecycle or "on-demand",
        "instance-type": instance.instance_type,
        "local-hostname": name,
        "local-ipv4": private,
        "mac": mac,
        "network": {"interfaces": {"macs": {mac: interface}}},
        "placement": {
            "availability-zone": instance.placement.zone,
            "region": backend.region_name,
        },
        "reservation-id": "r-0",
        "security-groups": groups,
        "services": {"domain": "amazonaws.com", "partition": "aws"},
    }
    if nic.public_ip:
        found["public-ipv4"] = interface["public-ipv4s"] = nic.public_ip
    if instance.metadata_options.instance_metadata_tags == "enabled":
        tags = {tag["key"]: tag["value"] for tag in instance.get_tags()}
        found["tags"] = {"instance": tags}
    if instance.id in backend.keys:
        found["public-keys"] = {"0": {"openssh-key": backend.keys[instance.id]}}
    found |= backend.notices.get(instance.id, {})
    role = backend.role_of(instance)
    if role is not None:
        found["iam"] = {
            "info": json.dumps({"Code": "Success", "InstanceProfileArn": role}),
            "security-credentials": {
                role.rsplit("/", 1)[-1]: _credentials(backend, instance, role)
            },
        }
    return found


def _credentials(backend: Any, instance: Any, role: str) -> str:
    """Of the role, for an hour. They are made once and again when they are old."""
    from moto.sts.models import sts_backends

    kept = backend.credentials.get(instance.id)
    if kept is None or kept.role_arn != role or kept.expiration < utcnow() + SOON:
        sts = sts_backends[backend.account_id][backend.partition]
        kept = sts.assume_role(backend.region_name, instance.id, role, "", 3600, "")
        backend.credentials[instance.id] = kept
    return json.dumps(
        {
            "Code": "Success",
            "LastUpdated": utcnow().isoformat(timespec="seconds") + "Z",
            "Type": "AWS-HMAC",
            "AccessKeyId": kept.access_key_id,
            "SecretAccessKey": kept.secret_access_key,
            "Token": kept.session_token,
            "Expiration": kept.expiration.isoformat(timespec="seconds") + "Z",
        }
    )


def _document(backend: Any, instance: Any) -> str:
    return json.dumps(
        {
            "accountId": backend.account_id,
            "architecture": instance.architecture,
            "availabilityZone": instance.placement.zone,
            "imageId": instance.image_id,
            "instanceId": instance.id,
            "instanceType": instance.instance_type,
            "privateIp": instance.private_ip,
            "region": backend.region_name,
            "version": "2017-09-30",
        },
        indent=2,
    )
