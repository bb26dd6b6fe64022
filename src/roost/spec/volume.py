"""A data volume: a disk that outlives its machine."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, ValidationInfo, model_validator

from roost.spec.table import Table, around, wrong
from roost.spec.values import Mount, Name, Size

SMALLEST_GIB = {"st1": 125, "sc1": 125, "io1": 4, "io2": 4}
"""EBS: the smallest size of a volume type; 1 GiB of those not named."""
LARGEST_GIB = {"gp3": 65536, "io2": 65536, "standard": 1024}
"""EBS: the largest size of a volume type; 16 TiB of those not named."""


class Volume(Table):
    """One data volume. ``roost down`` keeps it unless you type its name."""

    name: Name
    size: Size = Field(description="How large it is.")
    type: Literal["gp3", "gp2", "io1", "io2", "st1", "sc1", "standard"] = Field(
        "gp3", description="EBS volume type: gp3 suits nearly all; st1 is cheap for large files."
    )
    mount: Mount | None = Field(None, description='Where it is mounted; "/NAME" by default.')
    iops: int | None = Field(None, ge=100, description="Provisioned IOPS (gp3, io1, io2).")
    throughput: int | None = Field(None, ge=125, description="Provisioned MiB/s (gp3).")
    park: Literal["keep", "snapshot", "archive", "s3", "discard"] = Field(
        "snapshot",
        description="What `roost park` does with it: keep the volume, a snapshot, an archived "
        "snapshot, a verified copy in S3 - or discard the data (it asks for the name).",
    )

    @property
    def place(self) -> str:
        """Where it is mounted."""
        return self.mount or f"/{self.name}"

    @model_validator(mode="after")
    def _as_ebs_has_it(self, info: ValidationInfo) -> Self:
        here = around(info)
        if here is None or here.cloud != "aws":
            return self
        least = SMALLEST_GIB.get(self.type, 1)
        most = LARGEST_GIB.get(self.type, 16384)
        if not least <= self.size <= most:
            allowed = f"{least}GB to {most}GB for {self.type}"
            raise wrong(f"{self.size:g}GB is no size of a volume", allowed=allowed)
        if not float(self.size).is_integer():
            raise wrong("EBS counts in whole GB", allowed=f'"{self.size // 1 + 1:g}GB"')
        if self.iops is not None and self.type not in ("gp3", "io1", "io2"):
            raise wrong(f"{self.type} has no iops to choose", allowed="with gp3, io1, io2")
        if self.type in ("io1", "io2") and self.iops is None:
            raise wrong(f"{self.type} needs its iops", allowed="iops = 3000, for example")
        if self.throughput is not None and self.type != "gp3":
            raise wrong(f"{self.type} has no throughput to choose", allowed="with gp3")
        return self
