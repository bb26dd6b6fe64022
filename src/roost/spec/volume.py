"""A data volume: a disk that outlives its machine."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, Strict, ValidationInfo, WithJsonSchema, model_validator

from roost.parking.modes import ParkMode
from roost.spec.table import Table, around, wrong
from roost.spec.values import Bucket, Mount, Name, Size, check_free
from roost.units import format_size

SMALLEST_GIB = {"st1": 125, "sc1": 125, "io1": 4, "io2": 4}
"""EBS: the smallest size of a volume type; 1 GiB of those not named."""
LARGEST_GIB = {"gp3": 65536, "io2": 65536, "standard": 1024}
"""EBS: the largest size of a volume type; 16 TiB of those not named."""
IOPS = {"gp3": (3000, 80_000), "io1": (100, 64_000), "io2": (100, 256_000)}
"""EBS: fewest and most provisioned IOPS."""
_PARK_SCHEMA: dict[str, Any] = {"enum": [mode.value for mode in ParkMode], "type": "string"}


class Volume(Table):
    """One data volume. ``roost down`` keeps it unless you type its name."""

    name: Name = Field(description="What it is called.", examples=["data"])
    size: Size = Field(description="How large it is.", examples=["100GB"])
    type: Literal["gp3", "gp2", "io1", "io2", "st1", "sc1", "standard"] = Field(
        "gp3", description="EBS volume type: gp3 suits nearly all; st1 is cheap for large files."
    )
    mount: Mount | None = Field(None, description='Where it is mounted; "/NAME" by default.')
    iops: int | None = Field(
        None, ge=100, le=256_000, description="Provisioned IOPS (gp3, io1, io2)."
    )
    throughput: int | None = Field(None, ge=125, le=2_000, description="Provisioned MiB/s (gp3).")
    id: str | None = Field(
        None,
        pattern=r"^vol-[0-9a-f]{8,17}$",
        description="An EBS volume that is there already: it is attached, and never deleted.",
        examples=["vol-0123456789abcdef0"],
    )
    warm: int | None = Field(
        None,
        ge=100,
        le=300,
        description="Read all of it in at this many MiB/s when it is made from a snapshot, "
        "instead of when it is first needed; AWS charges for it.",
    )
    park: Annotated[ParkMode, Strict(False), WithJsonSchema(_PARK_SCHEMA)] = Field(
        ParkMode.SNAPSHOT,
        description="What `roost park` does with it: keep the volume, a snapshot, an archived "
        "snapshot, a verified copy in S3 - or discard the data (it asks for the name).",
    )
    park_to: Bucket | None = Field(
        None,
        description='Where in S3 it goes with park = "s3": below this, by NAME and volume.',
        examples=["s3://my-bucket/parked"],
    )
    park_class: Literal["STANDARD", "STANDARD_IA", "GLACIER_IR"] = Field(
        "STANDARD",
        description="S3's storage class there: the cheaper ones cost for coming back, and for 30 "
        "or 90 days at least (`roost park NAME --advise`).",
    )

    @property
    def place(self) -> str:
        """Where it is mounted."""
        return self.mount or f"/{self.name}"

    @property
    def is_scratch(self) -> bool:
        """Whether its data is worth nothing after a session: `roost park` discards it."""
        return self.park is ParkMode.DISCARD

    @model_validator(mode="after")
    def _possible(self, info: ValidationInfo) -> Self:
        if self.mount is None:
            check_free(self.place, at=("name",))
        here = around(info)
        is_new = here is not None and not here.recorded
        if is_new and self.park is ParkMode.S3 and self.park_to is None:
            raise wrong(
                'park = "s3" needs park_to', hint='park_to = "s3://BUCKET/PREFIX"', at=("park",)
            )
        if here is not None and here.cloud == "aws":
            check_ebs_size(self.size, self.type, at="size")
            self._check_speed()
        return self

    def _check_speed(self) -> None:
        """What of EBS's speed can be chosen for its type."""
        if self.iops is not None and self.type not in IOPS:
            raise wrong(
                f"{self.type} has no iops to choose", hint="gp3, io1 and io2 have", at=("iops",)
            )
        if self.throughput is not None and self.type != "gp3":
            raise wrong(
                f"{self.type} has no throughput to choose", hint="gp3 has", at=("throughput",)
            )
        if self.iops is None and self.type in ("io1", "io2"):
            raise wrong(f"{self.type} needs iops", hint="for example iops = 3000", at=("type",))
        if self.iops is not None:
            least, most = IOPS[self.type]
            if not least <= self.iops <= most:
                allowed = f"{least} to {most} for {self.type}"
                raise wrong("not an IOPS that EBS has", allowed=allowed, at=("iops",))


def check_ebs_size(gib: float, type: str, at: str) -> None:  # noqa: A002
    """EBS has volumes of whole GiB, and not all sizes of all types."""
    least = SMALLEST_GIB.get(type, 1)
    most = LARGEST_GIB.get(type, 16384)
    if not least <= gib <= most:
        allowed = f'"{format_size(least)}" to "{format_size(most)}" for {type}'
        raise wrong("no size of an EBS volume", allowed=allowed, at=(at,))
    if not float(gib).is_integer():
        raise wrong(
            "EBS counts in whole GB", hint=f'did you mean "{gib // 1 + 1:.0f}GB"?', at=(at,)
        )
