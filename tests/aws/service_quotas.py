"""Service Quotas, which moto does not have for EC2, and clusters that need some of it."""

from __future__ import annotations

from typing import Any

import botocore.session
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters

from roost.model.resources import Address, Group, Shape, State, Wanted
from roost.providers.aws.quotas import Quota
from roost.providers.aws.volume_quotas import STORAGE
from tests.aws.conftest import Account

STANDARD = Quota("L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances")
STANDARD_SPOT = Quota(
    "L-34B43A08", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests"
)
PAGE = "https://eu-central-1.console.aws.amazon.com/servicequotas/home/services/ec2/quotas/"
NOTHING = State(name="ndvi")


def shape(kind: str, *, spot: bool = False) -> Shape:
    return Shape(type=kind, cpus=0, memory_gib=0, image="ubuntu-24.04", disk_gib=30, spot=spot)


def wanted(workers: int, *, spot: bool = False, addresses: int = 0) -> Wanted:
    """A head of 2 vCPUs and workers of 4."""
    return Wanted(
        name="ndvi",
        record='{"name": "ndvi", "kind": "cluster"}',
        groups=(
            Group(role="head", count=1, shape=shape("m5.large")),
            Group(role="worker", count=workers, shape=shape("m5.xlarge", spot=spot)),
        ),
        addresses=tuple(Address(name=f"a{n}", holder="head") for n in range(addresses)),
    )


class Quotas:
    """Service Quotas, which moto does not have for EC2: answers of the service's own shape.

    Of each type of volume 50 TiB are allowed, where nothing else is said: EBS's own default."""

    def __init__(self, **limits: float | str) -> None:
        self.limits = limits
        self.asked: list[str] = []

    def get_service_quota(self, ServiceCode: str, QuotaCode: str) -> dict[str, Any]:  # noqa: N803
        storage = QuotaCode in {code for code, _ in STORAGE.values()}
        assert ServiceCode == ("ebs" if storage else "ec2")
        if not storage:
            self.asked.append(QuotaCode)
        key = QuotaCode.replace("-", "_")
        limit = self.limits.get(key, 50.0) if storage else self.limits[key]
        if isinstance(limit, str):
            raise ClientError({"Error": {"Code": limit, "Message": "no"}}, "GetServiceQuota")
        answer = {
            "Quota": {
                "ServiceCode": ServiceCode,
                "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
                "QuotaArn": f"arn:aws:servicequotas:eu-central-1:1234:{ServiceCode}/{QuotaCode}",
                "QuotaCode": QuotaCode,
                "Value": limit,
                "Unit": "None",
                "Adjustable": True,
                "GlobalQuota": False,
            }
        }
        model = botocore.session.get_session().get_service_model("service-quotas")
        validate_parameters(answer, model.operation_model("GetServiceQuota").output_shape)
        return answer


def clients(account: Account, quotas: Quotas, **others: Any) -> Any:
    return lambda service: {
        "ec2": account.client,
        "service-quotas": quotas,
        **others,
    }[service]
