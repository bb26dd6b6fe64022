"""Where moto's answers are not those of EC2: methods and properties that take theirs' place."""

from __future__ import annotations

import base64
import os
from typing import Any

QUOTA = 1024.0
CONSOLE = 64 * 1024
"""So much of its end EC2 keeps."""


def use(backend: type) -> None:
    """moto's EC2 is this backend from now on. Before moto has been asked anything."""
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
    os.environ["MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION"] = "true"
    from moto.ec2 import models
    from moto.ec2.models import (
        amis,
        elastic_block_store,
        elastic_ip_addresses,
        elastic_network_interfaces,
        instances,
        launch_templates,
        tags,
    )
    from moto.ec2.responses import EC2Response
    from moto.servicequotas.models import ServiceQuotasBackend

    ServiceQuotasBackend.get_service_quota = _quota(ServiceQuotasBackend.get_service_quota)  # type: ignore[method-assign]
    models.ec2_backends.backend = backend
    site = backend.site  # type: ignore[attr-defined]
    for module, name in (
        (elastic_ip_addresses, "random_ip"),
        (elastic_network_interfaces, "random_public_ip"),
    ):
        setattr(module, name, site.network.public_address)
    live = property(lambda self: self.get_tags(), lambda self, made: None)
    launch_templates.LaunchTemplate.tags = live  # type: ignore[assignment]
    amis.Ami.block_device_mappings = property(_image_disks)  # type: ignore[assignment]
    amis.Ami.state = property(_state_of("available"), _kept)  # type: ignore[assignment]
    snapshot, volume = elastic_block_store.Snapshot, elastic_block_store.Volume
    snapshot.status = property(_state_of("completed"), _kept)  # type: ignore[assignment]
    snapshot.progress = property(_progress)  # type: ignore[assignment]
    volume.status = property(_volume_status)  # type: ignore[assignment]
    instances.Instance.instance_status = property(_instance_status)  # type: ignore[assignment]
    EC2Response.ec2_backend = property(_hearing)  # type: ignore[assignment]
    EC2Response.get_console_output = _console_output  # type: ignore[method-assign]
    tags.TagBackend.describe_tags = _as_ec2(tags.TagBackend.describe_tags)  # type: ignore[method-assign]


def _quota(of_moto: Any) -> Any:
    """moto has none of EC2: here each is as large as a bench could ever need."""

    def quota(self: Any, service_code: str, quota_code: str) -> Any:
        if service_code != "ec2":
            return of_moto(self, service_code, quota_code)
        return {
            "ServiceCode": "ec2",
            "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
            "QuotaCode": quota_code,
            "QuotaName": quota_code,
            "Value": QUOTA,
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
        }

    return quota


def _hearing(self: Any) -> Any:
    """The backend, told of all parameters: moto hands it only those that it knows of."""
    from moto.ec2.models import ec2_backends

    backend: Any = ec2_backends[self.current_account][self.region]
    backend.hear(dict(self.params))
    return backend


def _kept(self: Any, value: str) -> None:
    self.__dict__["given"] = value


def _state_of(settled: str) -> Any:
    def state(self: Any) -> str:
        given = self.__dict__.get("given", settled)
        return str(self.ec2_backend.moving.get(self.id, given))

    return state


def _progress(self: Any) -> str:
    return "100%" if self.status == "completed" else "0%"


def _volume_status(self: Any) -> str:
    moving = self.ec2_backend.moving.get(self.id)
    if moving is not None:
        return str(moving)
    return "in-use" if self.attachment else "available"


def _image_disks(self: Any) -> list[dict[str, Any]]:
    copied = self.ebs_snapshot
    ebs = {
        "SnapshotId": copied.id,
        "VolumeSize": copied.volume.size,
        "DeleteOnTermination": True,
        "Encrypted": copied.encrypted,
        "VolumeType": "gp3",
    }
    return [{"DeviceName": self.root_device_name, "Ebs": ebs}]


def _instance_status(self: Any) -> dict[str, Any]:
    """Whether it answers: as EC2 looks at it from outside."""
    if self.state_code != 16:
        return {"Status": "not-applicable"}
    status, detail = self.ec2_backend.reachability(self)
    return {"Details": [{"Name": "reachability", "Status": detail}], "Status": status}


def _console_output(self: Any) -> Any:
    from moto.core.responses import ActionResult
    from moto.core.types import Base64EncodedString
    from moto.core.utils import utcnow

    backend = self.ec2_backend
    instance = backend.get_instance(self._get_param("InstanceId"))
    text = backend.site.console(instance.id).encode()[-CONSOLE:]
    output = Base64EncodedString.from_encoded_bytes(base64.b64encode(text))
    return ActionResult({"InstanceId": instance.id, "Timestamp": utcnow(), "Output": output})


def _as_ec2(of_moto: Any) -> Any:
    """moto keeps the tags of what is deleted, and has names of its own for some kinds."""

    def describe(self: Any, filters: Any = None) -> Any:
        found = of_moto(self, filters)
        there = _there(self)
        for tag in found:
            tag["resource_type"] = tag["resource_type"].removeprefix("vpc-")
        return [tag for tag in found if tag["resource_id"] in there]

    return describe


def _there(backend: Any) -> set[str]:
    groups = {one.id for of_vpc in backend.groups.values() for one in of_vpc.values()}
    return groups | {
        *(one.id for one in backend.all_instances()),
        *(one.allocation_id for one in backend.addresses),
        *(one.id for one in backend.key_pairs.values()),
        *backend.launch_templates,
        *backend.volumes,
        *backend.snapshots,
        *backend.amis,
        *backend.enis,
    }
